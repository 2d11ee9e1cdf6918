"""What a run can be mirrored into: a module for each. No torch."""
