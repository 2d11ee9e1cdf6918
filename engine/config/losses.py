"""Losses that a preset can choose by name, with torch's parameters and our defaults. No torch.

A name with a colon ("my_pkg.losses:Focal") is the user's own code.
"""

from typing import Any

from msgspec import field

from trainconsole.engine.config.types import (
    ImportPath,
    Named,
    Positive,
)


class CrossEntropy(Named, frozen=True, kw_only=True, tag="cross_entropy"):
    """torch.nn.functional.cross_entropy; label smoothing is regularisation.label_smoothing."""


class Bce(Named, frozen=True, kw_only=True, tag="bce"):
    """Binary cross entropy with logits, for two classes and a single output."""


class BceProbabilities(Named, frozen=True, kw_only=True, tag="bce_probabilities"):
    """Binary cross entropy of a probability (torch BCELoss), for two classes and a model that ends in a
    sigmoid."""


class Mse(Named, frozen=True, kw_only=True, tag="mse"):
    """Mean squared error."""


class L1(Named, frozen=True, kw_only=True, tag="l1"):
    """Mean absolute error (MAE)."""


class Huber(Named, frozen=True, kw_only=True, tag="huber"):
    """Quadratic below `delta`, linear above it."""

    delta: Positive = 1.0


class KlDiv(Named, frozen=True, kw_only=True, tag="kl_div"):
    """Kullback-Leibler divergence from soft targets (class indices are taken as one-hot)."""


class Nll(Named, frozen=True, kw_only=True, tag="nll"):
    """Negative log likelihood of log-probabilities (logits are normalised first)."""


class ImportedLoss(Named, frozen=True, kw_only=True, tag="import"):
    """The user's own: a class or function that returns a callable of (outputs, targets)."""

    target: ImportPath
    args: dict[str, Any] = field(default_factory=dict)


AnyLoss = CrossEntropy | Bce | BceProbabilities | Mse | L1 | Huber | KlDiv | Nll | ImportedLoss
