"""A GAN on points around a circle: two networks, two optimizers, the losses of both on the screen."""

import argparse

import torch
import trainconsole
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

LATENT = 8


def circle(points: int) -> Tensor:
    """Points at a distance of about 1 from the origin, (points, 2)."""
    angle = 2 * torch.pi * torch.rand(points)
    return torch.stack([angle.cos(), angle.sin()], dim=1) + 0.05 * torch.randn(points, 2)


def mlp(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs)
    )


@torch.no_grad()
def quality(generator: nn.Module) -> dict[str, float]:
    """How far generated points are from the circle, and how much of it they cover (1 is all)."""
    points = generator(torch.randn(1000, LATENT))
    sectors = ((torch.atan2(points[:, 1], points[:, 0]) / torch.pi + 1) * 18).long().clamp(0, 35)
    return {"distance": (points.norm(dim=1) - 1).abs().mean().item(), "coverage": len(sectors.unique()) / 36}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()

    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(circle(4096)), batch_size=128, shuffle=True, drop_last=True)
    generator, discriminator = mlp(LATENT, 2), mlp(2, 1)
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    run = trainconsole.attach(
        generator=generator, discriminator=discriminator, g_optimizer=g_optimizer, d_optimizer=d_optimizer
    )

    for epoch in run.epochs(args.epochs):
        for (real,) in run.batches(loader):
            fake = generator(torch.randn(len(real), LATENT))

            d_loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake.detach())).mean()
            d_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()

            g_loss = F.softplus(-discriminator(fake)).mean()
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()

            run.log(loss=g_loss, d_loss=d_loss)
        found = run.evaluate(lambda: quality(generator))
        if found is not None:
            print(f"epoch {epoch + 1}: distance {found['distance']:.3f}, coverage {found['coverage']:.2f}")


if __name__ == "__main__":
    main()
