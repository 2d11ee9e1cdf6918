"""A curve as cells. No Textual."""
