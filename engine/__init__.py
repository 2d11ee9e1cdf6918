"""The engine trains. It knows no textual, no click and no rich."""
