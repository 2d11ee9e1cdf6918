"""What a preset can say: its fields, their bounds, how they are read. No torch."""
