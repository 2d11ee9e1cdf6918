import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.picture_folders import SIDE, folder
from support.process import PATIENCE, Ended, environment


def with_tiny_shm(cwd: Path, pages: int, script: str, preset: str) -> Ended:
    """A run as in a container: /dev/shm holds `pages` of 4 KiB. Skips where this user may not mount."""
    (cwd / "start.py").write_text(f"{script}from trainconsole.tui.cli.main import main; main()\n")
    (cwd / "p.toml").write_text(f'epochs = 2\n{preset}[model]\nname = "mlp"\nhidden = [2]\n')
    mount = f"mount -t tmpfs -o size={4 * pages}k tmpfs /dev/shm || exit 77; "
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount + 'exec "$0" start.py --preset p.toml --no-ui', sys.executable],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this user may not mount")
    return Ended(done.returncode, done.stdout, done.stderr)


def test_a_large_folder_needs_no_shared_memory(tmp_path):
    folder(tmp_path / "pics", lambda name, i: np.full((SIDE, SIDE), i, np.uint8), count=6)
    ended = with_tiny_shm(
        tmp_path,
        1,
        "from trainconsole.engine.data.pictures import folder; folder.IN_MEMORY = 0\n",
        'batch_size = 4\n[data]\nname = "image_folder"\npath = "pics"\nsize = 256\nworkers = 2\n',
    )
    assert ended.code == 0, ended.err
    assert "epoch   2" in ended.err


BIG = """
import torch
class Big(torch.utils.data.Dataset):
    classes = ("a", "b")
    def __len__(self):
        return 8
    def __getitem__(self, index):
        return torch.ones(3, 256, 256), index % 2
def load():
    return Big(), Big()
"""


@pytest.mark.parametrize("pages", [1, 64])
def test_a_dataset_that_needs_it_is_told_a_key_that_there_is(tmp_path, pages):
    """With one page not even the locks of a loading process fit, with 64 no batch."""
    (tmp_path / "big.py").write_text(BIG)
    ended = with_tiny_shm(tmp_path, pages, "", 'batch_size = 4\n[data]\nname = "big:load"\nworkers = 1\n')
    assert ended.code in (1, 2)
    # An older torch ends the loading process instead of raising there, and says so on a line of its own.
    assert "/dev/shm" in ended.err or "insufficient shared memory (shm)" in ended.err
    assert "data.workers = 0" in ended.err
