"""Scripts as real processes that begin with torch already there: forked from one that has imported it and
done nothing else, so that a hundred can be killed in the time that a dozen would take to start."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from support.process import environment

SERVER = """
import json, os, runpy, sys
import torch, torch.optim.swa_utils, torch.utils.data, numpy, sklearn.datasets
import trainconsole.engine.attach.attach
for line in sys.stdin:
    wanted = json.loads(line)
    pid = os.fork()
    if not pid:
        os.setsid()
        os.chdir(wanted["cwd"])
        os.environ.update(wanted["env"])
        sys.argv = wanted["argv"]
        sys.path[0] = os.path.dirname(sys.argv[0])
        with open("printed", "ab") as file, open(os.devnull) as nothing:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            os.dup2(nothing.fileno(), 0)
        runpy.run_path(sys.argv[0], run_name="__main__")
        sys.exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Forks:
    """One script at a time."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            env=environment(OMP_NUM_THREADS="1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, script: Path, *args: str, cwd: Path, **env: str) -> int:
        """Its pid. What it prints is in `cwd`/printed."""
        argv = [str(script), *args]
        self._pipe(self._server.stdin).write(json.dumps({"argv": argv, "cwd": str(cwd), "env": env}) + "\n")
        self._pipe(self._server.stdin).flush()
        return int(self._pipe(self._server.stdout).readline())

    def wait(self) -> int:
        """The exit code of the one that was started, negative where a signal ended it."""
        return int(self._pipe(self._server.stdout).readline())

    def run(self, script: Path, *args: str, cwd: Path, **env: str) -> int:
        """Its exit code."""
        self.start(script, *args, cwd=cwd, **env)
        return self.wait()

    def close(self) -> None:
        self._pipe(self._server.stdin).close()
        self._server.kill()
        self._server.wait()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def joined(words: Sequence[str]) -> list[str]:
    """`words` as options of `trainconsole run`: each is a scripted command."""
    return [part for word in words for part in ("--at", word)]
