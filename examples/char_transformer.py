"""A character transformer on the text of Python's own help, with warmup and cosine written by hand."""

import argparse
import math
from pydoc_data.topics import topics

import torch
import trainconsole
from torch import Tensor, nn
from torch.nn import functional as F

BLOCK, BATCH, WIDTH, HEADS, LAYERS = 64, 16, 64, 4, 2


def text_of_python() -> tuple[Tensor, str]:
    """The characters of `pydoc_data.topics` as numbers, and which character each number is."""
    text = "\n".join(topics[name] for name in sorted(topics))
    chars = "".join(sorted(set(text)))
    number = {char: index for index, char in enumerate(chars)}
    return torch.tensor([number[char] for char in text]), chars


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before_attention, self.before_mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))
        self.dropout = nn.Dropout(0.05)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        qkv = self.qkv(self.before_attention(x)).view(batch, length, 3, HEADS, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.dropout(self.out(heads.transpose(1, 2).reshape(batch, length, WIDTH)))
        return x + self.dropout(self.mlp(self.before_mlp(x)))


class CharTransformer(nn.Module):
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, WIDTH), nn.Embedding(BLOCK, WIDTH)
        self.layers = nn.Sequential(*[Layer() for _ in range(LAYERS)])
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, vocabulary, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[1], device=x.device)
        return self.head(self.layers(self.tokens(x) + self.places(places)))

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self(x).flatten(0, 1), y.flatten())

    @torch.no_grad()
    def sample(self, x: Tensor, characters: int) -> Tensor:
        for _ in range(characters):
            chances = F.softmax(self(x[:, -BLOCK:])[:, -1], dim=-1)
            x = torch.cat([x, torch.multinomial(chances, 1)], dim=1)
        return x


def rate(step: int, steps: int, warmup: int = 20, highest: float = 3e-3) -> float:
    if step < warmup:
        return highest * (step + 1) / warmup
    return highest * (0.55 + 0.45 * math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--eval-interval", type=int, default=100)
    args = parser.parse_args()

    torch.manual_seed(1337)
    data, chars = text_of_python()
    split = int(0.9 * len(data))

    def get_batch(source: Tensor) -> tuple[Tensor, Tensor]:
        starts = torch.randint(len(source) - BLOCK - 1, (BATCH,))
        rows = torch.stack([source[start : start + BLOCK + 1] for start in starts])
        return rows[:, :-1], rows[:, 1:]

    @torch.no_grad()
    def val_loss() -> dict[str, float]:
        model.eval()
        losses = [model.loss(*get_batch(data[split:])).item() for _ in range(5)]
        model.train()
        return {"loss": sum(losses) / len(losses)}

    model = CharTransformer(len(chars))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.99), weight_decay=0.1)
    run = trainconsole.attach(model=model, optimizer=optimizer)

    for step in run.batches(range(args.steps)):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, args.steps)
        if step % args.eval_interval == 0:
            run.evaluate(val_loss)
        loss = model.loss(*get_batch(data[:split]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log(loss=loss)

    model.eval()
    start = torch.tensor([[chars.index("\n")]])
    print("".join(chars[index] for index in model.sample(start, 200)[0]))


if __name__ == "__main__":
    main()
