"""What may happen between two steps: commands, pauses, undo and rewind, and what is reported."""
