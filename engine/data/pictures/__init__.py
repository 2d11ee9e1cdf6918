"""A folder of pictures as a data set: its layout, and right pixels for each mode."""
