"""A loop with accelerate: what `prepare` returns is what is registered. No adapter is needed.

Needs accelerate: pip install accelerate
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def main() -> None:
    import trainconsole
    from accelerate import Accelerator

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    epochs = parser.parse_args().epochs

    accelerator = Accelerator(gradient_accumulation_steps=2)
    X, y = load_digits(return_X_y=True)
    dataset = TensorDataset(torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y))
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * 29)
    loader = DataLoader(dataset, batch_size=32, shuffle=True)
    model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, loader, schedule)

    run = trainconsole.attach(model=model, optimizer=optimizer, schedule=schedule, seed=0)
    for epoch in run.epochs(epochs):
        for x, targets in run.batches(loader):
            with accelerator.accumulate(model):
                loss = F.cross_entropy(model(x), targets)
                accelerator.backward(loss)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            run.log(loss=loss)
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, rate {schedule.get_last_lr()[0]:.2e}")


if __name__ == "__main__":
    main()
