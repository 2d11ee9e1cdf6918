"""The command line, headless runs, exit codes."""
