"""What may not be meant is told: classes that nothing can be learned of, images that are not of bytes."""

import pytest
from support.running import run

DATA = """
import torch

X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(60) % 2

def parted():
    return {"train": (X, Y), "val": (X[:20], Y[:20] + 2), "test": (X[:20], Y[:20])}

def images(dtype, most):
    x = torch.randint(0, most + 1, (60, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    x[0, 0, 0, 0] = most
    return x.to(getattr(torch, dtype)), Y
"""
PLAIN = ("data.scaling=none", "model.name=mlp", "epochs=1")


def test_classes_without_a_training_row_are_named(tmp_path, own_code):
    ran = run(tmp_path, "iris", f"data.name={own_code(DATA)}:parted", *PLAIN)
    assert [w["why"] for w in ran.of("warning")] == [
        "no training row is of class 2, 3: nothing can be learned of it"
    ]


@pytest.mark.parametrize(
    ("dtype", "most", "said"),
    [
        ("uint8", 255, ["images of bytes divided by 255"]),
        ("int64", 255, ["images of int64 up to 255 taken as they are, not divided"]),
        ("int32", 4095, ["images of int32 up to 4095 taken as they are, not divided"]),
        ("uint16", 65535, ["images of uint16 up to 65535 taken as they are, not divided"]),
        ("int64", 1, []),
        ("float32", 255, []),
    ],
)
def test_images_of_wider_integers_are_told_as_left(tmp_path, own_code, dtype, most, said):
    given = [f"data.name={own_code(DATA)}:images", f"data.args.dtype={dtype}", f"data.args.most={most}"]
    assert run(tmp_path, "iris", *given, *PLAIN).events[0]["data"] == said
