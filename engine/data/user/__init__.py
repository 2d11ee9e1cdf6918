"""What a user's own function returns, and what it is taken for."""
