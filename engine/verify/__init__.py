"""`trainconsole verify`: the same updates again, after an undo and in a new process, and why they differ."""
