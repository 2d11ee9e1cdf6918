"""A script that calls nothing of ours: its losses are recorded and its optimizers steered from outside."""
