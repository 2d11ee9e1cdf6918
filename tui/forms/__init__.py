"""Parameters as fields of a form, and what a change would do."""
