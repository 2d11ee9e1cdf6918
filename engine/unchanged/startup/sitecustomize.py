"""Imported at the start of each Python process below `trainconsole run`: what trains first is watched.

Only what Python has loaded by then is used, and nothing else is loaded before torch is.
"""

import os
import sys
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))


class TorchIsLoaded:
    """A finder that finds nothing of its own: `then` is called once torch has been imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "torch":
            return None
        others = (one for one in sys.meta_path if one is not self)
        spec = next(filter(None, (one.find_spec(name, path, target) for one in others)), None)
        if spec is not None and hasattr(spec.loader, "__dict__"):
            self._wait_for(spec.loader)
        return spec

    def _wait_for(self, loader: Any) -> None:
        load = loader.exec_module

        def exec_module(module: Any) -> None:
            del loader.exec_module
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            load(module)
            watch()

        loader.exec_module = exec_module


def watch() -> None:
    """Notice what the script does with torch; a failure leaves it alone, and is told."""
    try:
        from trainconsole.engine.unchanged import noticing

        noticing.install()
    except Exception as error:
        why = f"trainconsole: not watched: {error} (in {sys.executable})"
        if sys.stderr is not None:
            sys.stderr.write(why + "\n")


def go_on() -> None:
    """Import the user's own sitecustomize, as if this one were not there."""
    sys.path[:] = [entry for entry in sys.path if entry != HERE]
    this = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
        sys.modules["sitecustomize"] = this


if __name__ == "sitecustomize":
    if os.environ.get("TRAINCONSOLE_RUN"):
        sys.meta_path.insert(0, TorchIsLoaded())
    go_on()
