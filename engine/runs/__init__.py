"""Whole runs: beginning one, branches, replay, export, the run a model came from. No torch."""
