"""DIR/RUN for TensorBoard: one event file, which shows the curve in force. No torch.

After an undo or a rewind stands what TensorBoard itself writes where training is restarted: it drops what it
had shown beyond that step.
"""

import math
from pathlib import Path
from typing import Any

from trainconsole.engine.common.errors import UserError
from trainconsole.engine.mirror import facts
from trainconsole.engine.mirror.facts import MEASURED, Facts
from trainconsole.engine.mirror.items import Happened, Item, OwnNumbers, Steps, Turned
from trainconsole.engine.mirror.tools.event_file import EventFile, library
from trainconsole.engine.protocol.events import Branched, CommandApplied

START = 1
"""SessionLog.START."""
STRING = 7
"""DataType.DT_STRING."""

Value = dict[str, Any]


class TensorBoard:
    """Raises UserError where tensorboard is missing, or the folder cannot be written or holds another run."""

    def __init__(self, folder: Path, about: Facts) -> None:
        library()
        self._about = about
        second, micro = divmod(round(about.began * 1e6), 10**6)
        file = folder / about.run.name / f"events.out.tfevents.{second:010d}.mirror.{micro:06d}"
        _prepare(file)
        self._file = EventFile(file)
        self.done = self._file.done
        self._begin()

    def write(self, item: Item) -> None:
        match item:
            case Steps():
                self._steps(item)
            case OwnNumbers():
                self._own(item)
            case Turned():
                restart = {"status": START}
                self._file.add("", wall_time=item.time, step=item.since + 1, session_log=restart)
            case Happened():
                self._happened(item)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _begin(self) -> None:
        time = self._about.began
        if "version" not in self._file.marks:
            self._file.add("version 2", wall_time=time, file_version="brain.Event:2")
        if "config" not in self._file.marks:
            config = text("config", f"```toml\n{self._about.config}\n```")
            self._file.add("config 1", wall_time=time, step=0, summary={"value": [config]})
        self._file.flush()

    def _steps(self, item: Steps) -> None:
        tags = [self._about.tags[name] for name in MEASURED]
        columns = [item.rows[name].tolist() for name in ("step", *MEASURED)]
        for at, (step, *measured) in enumerate(zip(*columns, strict=True)):
            values = [scalar(tag, value) for tag, value in zip(tags, measured, strict=True)]
            if math.isnan(measured[-1]):
                values.pop()
            mark = "" if item.again else f"rows {item.first + at + 1}"
            self._file.add(mark, wall_time=item.times[at], step=step, summary={"value": values})

    def _own(self, item: OwnNumbers) -> None:
        tag = self._about.own_name(item.name)
        for (step, _, value), count in zip(item.records.tolist(), item.counts.tolist(), strict=True):
            mark = "" if item.again else f"own {item.name} {count}"
            self._file.add(mark, wall_time=item.time, step=step, summary={"value": [scalar(tag, value)]})

    def _happened(self, item: Happened) -> None:
        event = item.event
        values = [scalar(tag, value) for tag, value in facts.numbers(event).items()]
        if isinstance(event, CommandApplied):
            # Of several at one step the last record is shown.
            said = (facts.command(command) for command in (*item.beside, event))
            values.append(text("commands", "\n".join(f"    {line}" for line in said)))
        elif ended := facts.result(event):
            values.append(text("result", "\n".join(f"    {name}: {value}" for name, value in ended.items())))
        if values or isinstance(event, Branched):
            shown = {"summary": {"value": values}} if values else {}
            mark = "" if item.again else f"event {event.seq}"
            self._file.add(mark, wall_time=event.time, step=event.step, **shown)


def scalar(tag: str, value: float) -> Value:
    return {"tag": tag, "simple_value": value}


def text(tag: str, markdown: str) -> Value:
    plugin = {"plugin_data": {"plugin_name": "text"}}
    tensor = {
        "dtype": STRING,
        "string_val": [markdown.encode(errors="replace")],
        "tensor_shape": {"dim": [{"size": 1}]},
    }
    return {"tag": f"{tag}/text_summary", "metadata": plugin, "tensor": tensor}


def _prepare(file: Path) -> None:
    """Make the folder. TensorBoard takes all event files of one folder for one run."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {file.parent}: {error.strerror}") from None
    others = [path.name for path in file.parent.glob("*tfevents*") if path.name != file.name]
    if others:
        raise UserError(
            f"{file.parent} holds {others[0]} of another run, or of an export, and TensorBoard would draw\n"
            f"the two as one run; choose another folder: --to tensorboard:{file.parent.parent / 'NEW'}"
        )
