"""What fills the terminal, or asks something: one screen a module."""
