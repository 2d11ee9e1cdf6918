"""Rows of every origin: split, scaled, balanced, augmented."""
