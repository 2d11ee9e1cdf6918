"""A tiny GPT-2 with Hugging Face's Trainer, on the text of Python's own help: one callback. No download.

Needs transformers: pip install "transformers[torch]"
"""

import argparse
from pydoc_data.topics import topics

import torch
from torch.utils.data import Dataset

BLOCK = 64


class Blocks(Dataset):
    """The text in blocks of BLOCK characters, each a sample whose labels are its own input."""

    def __init__(self, characters: torch.Tensor) -> None:
        self.rows = characters[: len(characters) // BLOCK * BLOCK].view(-1, BLOCK)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self.rows[index], "labels": self.rows[index]}


def main() -> None:
    import trainconsole.integrations
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    args = parser.parse_args()

    set_seed(0)
    text = "\n".join(topics[name] for name in sorted(topics))
    number = {char: index for index, char in enumerate(sorted(set(text)))}
    data = torch.tensor([number[char] for char in text])
    split = int(0.9 * len(data))
    config = GPT2Config(
        vocab_size=len(number),
        n_positions=BLOCK,
        n_embd=64,
        n_layer=2,
        n_head=4,
        bos_token_id=0,
        eos_token_id=0,
    )
    settings = TrainingArguments(
        output_dir="hf",
        max_steps=args.steps,
        per_device_train_batch_size=16,
        learning_rate=3e-3,
        lr_scheduler_type="cosine",
        warmup_steps=20,
        eval_strategy="steps",
        eval_steps=100,
        logging_steps=10,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
    )
    trainer = Trainer(
        model=GPT2LMHeadModel(config),
        args=settings,
        train_dataset=Blocks(data[:split]),
        eval_dataset=Blocks(data[split:]),
        callbacks=[trainconsole.integrations.HuggingFace()],
    )
    trainer.train()


if __name__ == "__main__":
    main()
