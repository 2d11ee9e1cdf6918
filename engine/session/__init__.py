"""One session of a run: set-up, the loop, the end of an epoch and of the run."""
