"""Textual widgets that draw only what has changed."""
