"""Where Trackio keeps its projects, which it asks once, when it is imported."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def trackio_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKIO_DIR", os.fspath(tmp_path_factory.mktemp("trackio")))
        yield
