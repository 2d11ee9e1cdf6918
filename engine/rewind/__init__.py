"""The ways back: checkpoints and snapshots of a boundary, undo, rewind, and where a resumed run goes on."""
