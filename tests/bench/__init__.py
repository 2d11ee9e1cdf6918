"""What the claims of speed rest on: `make bench` runs every part and prints one table."""
