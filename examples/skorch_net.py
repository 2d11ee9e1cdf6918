"""A skorch net: a callback of its own calls attach, and a boundary after each batch. No adapter is needed.

Needs skorch: pip install skorch
"""

import argparse
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn


def main() -> None:
    import trainconsole
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback

    class Console(Callback):
        """Of one `fit`; skorch counts its epochs itself, so there is no way back into an earlier one."""

        def on_train_begin(self, net: Any, **kwargs: Any) -> None:
            self.run = trainconsole.attach(model=net.module_, optimizer=net.optimizer_)
            self.run.boundary()

        def on_batch_end(self, net: Any, training: bool = False, loss: Any = None, **kwargs: Any) -> None:
            if training:
                self.run.log(loss=loss)
                if not self.run.boundary():
                    raise KeyboardInterrupt  # skorch ends a fit by it, and keeps what was trained

        def on_train_end(self, net: Any, **kwargs: Any) -> None:
            self.run.__exit__(None, None, None)

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    epochs = parser.parse_args().epochs

    torch.manual_seed(0)
    X, y = load_digits(return_X_y=True)
    module = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    options = {"criterion": nn.CrossEntropyLoss, "lr": 0.1, "batch_size": 32, "max_epochs": epochs}
    net = NeuralNetClassifier(module, callbacks=[Console()], **options)
    net.fit((X / 16).astype(np.float32), y)


if __name__ == "__main__":
    main()
