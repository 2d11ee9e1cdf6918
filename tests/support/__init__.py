"""What several tests use: runs, processes, terminals, damage."""
