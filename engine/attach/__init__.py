"""The process of a script that has called `trainconsole.attach`: its run, its session, its host."""
