"""The state of a run and its steps: trainer, losses, metrics, its place."""
