"""What opens over a run, one screen a file."""
