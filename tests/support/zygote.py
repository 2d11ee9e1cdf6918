"""Scripts in processes that need not import torch: each is forked from one that has.

`Zygote.python` stands in for Python: a small program that asks the zygote for a process with its own
environment, directory and output, and ends as that does.
"""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

CLIENT = """#!{python} -IS
import json, os, socket, sys
asked = json.dumps([os.getcwd(), dict(os.environ), sys.argv[1:]]).encode()
link = socket.socket(socket.AF_UNIX)
link.connect({address!r})
socket.send_fds(link, [len(asked).to_bytes(4, "big")], [1, 2])
link.sendall(asked)
code = link.recv(1)
sys.exit(code[0] if code else 137)
"""


PATIENCE = 120.0


class Zygote:
    """A process that has imported torch; of each request it forks one more."""

    def __init__(self, folder: Path) -> None:
        address = folder / "zygote"
        self.python = folder / "python3"
        self.python.write_text(CLIENT.format(python=sys.executable, address=str(address)), "utf-8")
        self.python.chmod(0o755)
        argv = [sys.executable, "-m", "support.zygote", str(address)]
        here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(argv, env=here, start_new_session=True)
        until = time.monotonic() + PATIENCE
        while not address.exists() and time.monotonic() < until and self._process.poll() is None:
            time.sleep(0.05)

    def __enter__(self) -> "Zygote":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _serve(address: str) -> None:
    import torch

    import trainconsole.engine.attach.attach

    assert trainconsole.engine.attach.attach
    torch.set_num_threads(1)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    while True:
        link, _ = listener.accept()
        head, fds, _, _ = socket.recv_fds(link, 4, 2)
        size, asked = int.from_bytes(head, "big"), b""
        while len(asked) < size:
            asked += link.recv(size - len(asked))
        if os.fork() == 0:
            listener.close()
            # In between, so that the script's parent is told of its end.
            script = os.fork()
            if script:
                link.sendall(bytes([os.waitstatus_to_exitcode(os.waitpid(script, 0)[1]) % 256]))
                os._exit(0)
            _run(link, fds, *json.loads(asked))
        link.close()
        for fd in fds:
            os.close(fd)


def _run(link: socket.socket, fds: list[int], cwd: str, environment: dict[str, str], argv: list[str]) -> None:
    link.close()
    os.dup2(fds[0], 1)
    os.dup2(fds[1], 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = argv
    sys.stdout, sys.stderr = (os.fdopen(os.dup(fd), "w", buffering=1, encoding="utf-8") for fd in (1, 2))
    code = 0
    try:
        runpy.run_path(argv[0], run_name="__main__")
        from trainconsole.engine.attach.attach import conclude_all

        conclude_all()
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
