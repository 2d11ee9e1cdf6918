"""An ordinary PyTorch loop: an MLP on scikit-learn's digits. `attached.py` is the same with trainconsole."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split


def digits() -> tuple[DataLoader, DataLoader]:
    """1,797 pictures of 8x8: 1,440 to train on, 357 to validate."""
    X, y = load_digits(return_X_y=True)
    dataset = TensorDataset(torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y))
    train, val = random_split(dataset, [1440, 357])
    return DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=357)


@torch.no_grad()
def accuracy(model: nn.Module, loader: DataLoader) -> float:
    model.eval()
    right = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    model.train()
    return right / len(loader.dataset)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", default="digits.pt")
    args = parser.parse_args()

    torch.manual_seed(0)
    train_loader, val_loader = digits()
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    steps = args.epochs * len(train_loader)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=steps)

    for epoch in range(args.epochs):
        for x, y in train_loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
        print(f"epoch {epoch + 1}: accuracy {accuracy(model, val_loader):.4f}")

    torch.save(model.state_dict(), args.out)


if __name__ == "__main__":
    main()
