"""`python -m trainconsole.tui` is `trainconsole`."""

from trainconsole.tui.cli.entry import main

main()
