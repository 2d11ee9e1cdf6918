"""Where a run goes when it begins: into this process, or into one of its own that this one watches."""

from typing import NoReturn

from trainconsole.engine.launch import Launch


def begin(launch: Launch, *, no_ui: bool, as_json: bool) -> NoReturn:
    """Train, and exit with the code of the run."""
    if no_ui:
        from trainconsole.tui import headless

        headless.run(launch, as_json=as_json)
    from trainconsole.tui import detach

    detach.run(launch)
