"""Building, swapping and stepping optimizers; updates that are withheld."""
