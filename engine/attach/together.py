"""Processes that train one model: what the first one was told is done by all of them at the same boundary."""

from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from trainconsole.engine.protocol.commands import Command

PATIENCE = timedelta(days=365)
"""The others wait at a boundary for as long as the first one is paused."""


class Together:
    """Made by all of them; `leads` is the one that has the console. Where there are several, a boundary costs
    a broadcast of one number between processors."""

    def __init__(self) -> None:
        started = distributed.is_available() and distributed.is_initialized()
        self.alone = not started or distributed.get_world_size() == 1
        self.leads = self.alone or distributed.get_rank() == 0
        self._group: Any = None if self.alone else distributed.new_group(backend="gloo", timeout=PATIENCE)
        self._said: list[Command] = []

    def say(self, command: Command) -> None:
        """By the one that leads."""
        self._said.append(command)

    def exchanged(self) -> list[Command]:
        """What was said since the last time; the others wait for it."""
        said, self._said = self._said, []
        if self.alone:
            return said
        count = torch.tensor([len(said)])
        distributed.broadcast(count, 0, group=self._group)
        found: list[Command] = [*said, *[Command()] * (int(count) - len(said))]
        if found:
            distributed.broadcast_object_list(found, 0, group=self._group)
        return found
