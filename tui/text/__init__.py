"""Events and numbers in words. No Textual."""
