"""Data sets as a run on the CPU loads them."""

from pathlib import Path

import torch

from trainconsole.engine.config.data import AnyData
from trainconsole.engine.data.load import Data, load

CPU = torch.device("cpu")


def loaded(config: AnyData, data_dir: Path = Path("unused"), seed: int = 0) -> Data:
    return load(config, seed, data_dir, CPU)
