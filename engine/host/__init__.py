"""The training process: its threads, its log, how it is started apart from the terminal."""
