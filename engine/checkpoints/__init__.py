"""What a checkpoint holds, how it is written and kept, and the stack that `undo` takes from."""
