"""A loop as scripts have it, which knows nothing of trainconsole: trains as many steps as it is told on
stdin, and prints how many seconds they took, and how many of the processor's."""

import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

BATCH = 64


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    inputs, targets = torch.randn(64 * BATCH, 784), torch.randint(10, (64 * BATCH,))
    for line in sys.stdin:
        began, spent = time.perf_counter(), time.process_time()
        for step in range(int(line)):
            rows = slice(step % 64 * BATCH, (step % 64 + 1) * BATCH)
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs[rows]), targets[rows])
            loss.backward()
            optimizer.step()
        sys.stdout.write(f"{time.perf_counter() - began} {time.process_time() - spent}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
