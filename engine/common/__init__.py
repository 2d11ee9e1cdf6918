"""What every room may use: errors, harmless text, files, the user's directories. No torch."""
