"""The run directory: how each of its files is written, read within bounds, and locked. No torch."""
