"""Losses by name and a user's own, the shapes of targets that they take."""
