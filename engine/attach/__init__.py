"""A person's own loop, steered: what `trainconsole.attach` is made of."""
