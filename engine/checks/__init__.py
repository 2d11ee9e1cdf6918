"""What is tried on a copy before a run begins, or a command is applied."""
