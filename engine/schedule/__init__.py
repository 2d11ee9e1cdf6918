"""The learning rate and early stopping as pure functions. No torch."""
