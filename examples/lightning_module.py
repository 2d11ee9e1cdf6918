"""A LightningModule on scikit-learn's digits: with one callback, the Trainer's loop is watched and steered.

Needs lightning: pip install lightning
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split


def digits() -> tuple[DataLoader, DataLoader]:
    X, y = load_digits(return_X_y=True)
    dataset = TensorDataset(torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y))
    train, val = random_split(dataset, [1440, 357])
    return DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=357)


def main() -> None:
    import lightning
    import trainconsole.integrations

    class Classifier(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 10))

        def training_step(self, batch, batch_idx):
            x, y = batch
            loss = F.cross_entropy(self.model(x), y)
            self.log("loss", loss)
            return loss

        def validation_step(self, batch, batch_idx):
            x, y = batch
            logits = self.model(x)
            self.log("val_loss", F.cross_entropy(logits, y))
            self.log("val_accuracy", (logits.argmax(1) == y).float().mean())

        def configure_optimizers(self):
            optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs)
            return {"optimizer": optimizer, "lr_scheduler": scheduler}

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()

    lightning.seed_everything(0)
    train_loader, val_loader = digits()
    trainer = lightning.Trainer(
        max_epochs=args.epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        callbacks=[trainconsole.integrations.Lightning()],
    )
    trainer.fit(Classifier(), train_loader, val_loader)


if __name__ == "__main__":
    main()
