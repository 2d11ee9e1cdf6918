"""`python -m trainconsole.tui` is `trainconsole`."""

from trainconsole.tui.cli import main

main()
