"""host.log takes what is logged while a run trains, and gives it back afterwards."""

import logging
import warnings
from contextlib import suppress

import pytest

from trainconsole.engine.host.host_log import written

log = logging.getLogger("trainconsole")


class Broken(Exception):
    pass


@pytest.mark.parametrize("breaks", [False, True])
def test_logs_and_warnings_go_into_the_file_meanwhile_and_where_they_went_afterwards(
    tmp_path, caplog, breaks
):
    with suppress(Broken), written(tmp_path, logging.NullHandler()):
        log.warning("meanwhile")
        warnings.warn("warned meanwhile", stacklevel=1)
        if breaks:
            raise Broken
    log.warning("after")
    with pytest.warns(UserWarning, match="warned after"):
        warnings.warn("warned after", stacklevel=1)
    assert [record.getMessage() for record in caplog.records] == ["after"]
    told = (tmp_path / "host.log").read_text()
    assert "WARNING meanwhile" in told
    assert "warned meanwhile" in told
    assert "after" not in told
