"""Where the command begins."""

import subprocess
import sys

from support.process import PATIENCE


def test_windows_is_told_in_a_sentence_before_anything_is_imported() -> None:
    """Of the standard library it lacks what the rest imports: termios, fcntl."""
    code = (
        "import sys; sys.platform = 'win32'; sys.modules['termios'] = sys.modules['fcntl'] = None;"
        "from trainconsole.tui.cli.entry import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "WSL" in done.stderr
    assert len(done.stderr.splitlines()) == 2
