import re
import sys
from pathlib import Path

import pytest

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.common.user_code import call, load_object


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes <name>.py into the current directory, and forgets its import afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    written = []

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        written.append(name)

    yield write
    for name in written:
        sys.modules.pop(name, None)


def message(target: str) -> str:
    with pytest.raises(UserError) as caught:
        load_object(target, "model.name")
    text = str(caught.value)
    assert text.startswith("model.name")
    assert len(text.splitlines()) <= 3
    return text


def test_finds_an_attribute_of_an_attribute(module):
    module("their_nets", "class Net:\n    class Inner:\n        size = 3\n")
    assert load_object("their_nets:Net.Inner", "model.name").size == 3


def test_current_directory_comes_first(module):
    module("colorsys", "mine = True\n")
    sys.modules.pop("colorsys", None)
    assert load_object("colorsys:mine", "model.name") is True


def test_missing_module_is_named_with_where_it_looked(module, tmp_path):
    text = message("not_there.nets:Net")
    assert "'not_there'" in text
    assert str(tmp_path) in text


def test_missing_attribute_gets_the_nearest_name(module):
    module("their_nets2", "class Network: pass\n")
    assert "did you mean 'Network'?" in message("their_nets2:Netwerk")


def test_import_that_fails_names_type_text_and_line(module):
    module("their_nets3", "x = 1\n\ny = 1 / 0\n")
    assert re.search(r"ZeroDivisionError: division by zero \(their_nets3\.py:3\)", message("their_nets3:Net"))


def test_missing_import_inside_a_module_is_the_modules_fault(module):
    module("their_nets4", "import no_such_library\n")
    text = message("their_nets4:Net")
    assert "importing 'their_nets4' failed" in text
    assert "their_nets4.py:1" in text


@pytest.mark.parametrize(
    ("source", "expected"), [("def f(:\n", "SyntaxError"), ("import sys\nsys.exit(3)\n", "SystemExit: 3")]
)
def test_syntax_error_and_exit(module, source, expected):
    module("their_nets5", source)
    text = message("their_nets5:Net")
    assert expected in text
    assert "their_nets5.py:" in text


def test_call_points_at_the_users_line_below_the_library_that_raised(module):
    module("their_nets6", "import json\ndef load():\n    return json.loads('{')\n")
    with pytest.raises(UserError, match=r"data\.name failed: JSONDecodeError.*\(their_nets6\.py:3\)"):
        call(load_object("their_nets6:load", "data.name"), "data.name")


def test_call_lets_a_user_error_through():
    def refuse() -> None:
        raise UserError("as it is")

    with pytest.raises(UserError, match=r"^as it is$"):
        call(refuse, "data.name")
