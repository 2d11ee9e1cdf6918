"""Mixed precision, gradients of four batches for one update, and an average of the weights (EMA)."""

import argparse

import torch
import trainconsole
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset, random_split

ACCUMULATE = 4
"""Batches for one update: 45 in an epoch are 11 updates, and one of what is left."""


def digits() -> tuple[DataLoader, DataLoader]:
    X, y = load_digits(return_X_y=True)
    pictures = torch.tensor(X / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    train, val = random_split(TensorDataset(pictures, torch.tensor(y)), [1440, 357])
    return DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=357)


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32 * 4 * 4, 10),
    )


@torch.no_grad()
def validate(model: nn.Module, loader: DataLoader, device: str) -> dict[str, float]:
    model.eval()
    loss = right = 0.0
    for x, y in loader:
        logits = model(x.to(device))
        loss += F.cross_entropy(logits, y.to(device), reduction="sum").item()
        right += (logits.argmax(1) == y.to(device)).sum().item()
    model.train()
    return {"loss": loss / len(loader.dataset), "accuracy": right / len(loader.dataset)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()

    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train_loader, val_loader = digits()
    model = network().to(device)
    ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.98), use_buffers=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs)
    scaler = torch.amp.GradScaler(device, enabled=device == "cuda")
    run = trainconsole.attach(
        model=model, ema=ema, optimizer=optimizer, scheduler=scheduler, scaler=scaler, grad_norm=True
    )

    for epoch in run.epochs(args.epochs):
        for x, y in run.batches(train_loader):
            with torch.autocast(device, dtype=torch.bfloat16):
                loss = F.cross_entropy(model(x.to(device)), y.to(device))
            scaler.scale(loss / ACCUMULATE).backward()
            run.log(loss=loss)
            if run.batch % ACCUMULATE == ACCUMULATE - 1 or run.batch == len(train_loader) - 1:
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
                ema.update_parameters(model)
        scheduler.step()
        val = run.evaluate(lambda: validate(ema, val_loader, device))
        if val is not None:
            print(f"epoch {epoch + 1}: accuracy of the average {val['accuracy']:.4f}")


if __name__ == "__main__":
    main()
