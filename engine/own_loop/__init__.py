"""A script's own loop as it is steered: where it stands, what is registered, what commands do to it."""
