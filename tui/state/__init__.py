"""What the console has read of a run. No Textual."""
