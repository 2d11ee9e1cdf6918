"""The screen of a run: curves, panels, keys."""
