"""Commands on the built-in trainer: what each does to it, what is then in force, and what it leads to."""
