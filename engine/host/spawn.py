"""Starting a host in a process and a session of its own, which no hang-up reaches. No torch.

The launch goes through a pipe: nothing of it is left behind, in a file or in the list of processes.
"""

import subprocess
import sys

import msgspec

from trainconsole.engine.common import signals
from trainconsole.engine.host import script_process
from trainconsole.engine.host.host_log import open_log
from trainconsole.engine.runs.launch import Launch, unless_begun

_started: list["subprocess.Popen[bytes]"] = []


def start_detached(launch: Launch) -> int:
    """Start the host of `launch`; returns its process id at once. Raises UserError where it cannot be, and
    leaves no directory of a new run then.

    It listens at `address.socket_path(launch.path, pid)` a moment later; `has_ended` says whether there is
    still somebody to wait for. What it prints goes to host.log.
    """
    if launch.config.script is not None:
        script = script_process.start_detached(launch, launch.config.script)
        _started.append(script)
        return script.pid
    with unless_begun(launch), signals.held(), open(open_log(launch.path), "ab") as log:
        # -P: a file of the user's that is called random.py stands in nobody's way.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "trainconsole.engine.host.main", str(launch.path)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # Kept, so that Python does not complain of a process that is meant to go on.
    _started.append(process)
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(packed(launch))
    return process.pid


def has_ended(pid: int) -> int | None:
    """The exit code of a host that this process has started, None while it goes on."""
    return next((process.poll() for process in _started if process.pid == pid), None)


def packed(launch: Launch) -> bytes:
    return msgspec.json.encode(launch, enc_hook=str)
