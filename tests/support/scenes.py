"""Scenes of runs made of numbers, with a fixed seed: what the console's curves are tested on."""

from dataclasses import replace
from typing import Literal

import numpy as np

from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.engine.runs.branches import Fork
from trainconsole.tui.state.metric_store import Track
from trainconsole.tui.state.scene import Mark, Scene

Kind = Literal["empty", "early", "mid", "paused", "finished", "nan", "forked", "long"]
KINDS: tuple[Kind, ...] = ("empty", "early", "mid", "paused", "finished", "nan", "forked", "long")
STEPS, PER_EPOCH, EPOCHS = 4690, 938, 5
DONE = {"empty": 0, "early": 60, "finished": STEPS}
SINCE = 0.00125
"""Seconds that a step takes."""


def rows(first: int, last: int, *, branch: int = 0, seed: int = 7, steps: int = STEPS) -> Rows:
    """Steps `first` to `last` of a run like MNIST's: loss, accuracy, a cosine rate, gradient norms."""
    found = np.zeros(last - first + 1, ROW)
    step = np.arange(first, last + 1)
    rng = np.random.default_rng(seed + first)
    share = step / steps
    found["step"], found["branch"], found["epoch"] = step, branch, 1 + (step - 1) * EPOCHS // steps
    found["time"] = step * SINCE
    noise = rng.normal(size=len(step))
    found["loss"] = (0.05 + 2.25 * np.exp(-share * 14) + 0.2 * np.exp(-share * 3)) * np.exp(0.22 * noise)
    correct = 1 - 0.88 * np.exp(-share * 14) - 0.08 * np.exp(-share * 2)
    found["metric"] = np.clip(np.round((correct - 0.03 * noise) * 64) / 64, 0, 1)
    found["lr"] = rate(step, steps)
    found["grad_norm"] = (0.3 + 1.5 * np.exp(-share * 6)) * np.exp(0.3 * rng.normal(size=len(step)))
    return found


def rate(step: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """A warm-up, then a cosine."""
    warmed = np.minimum(step / (0.06 * steps), 1.0)
    return 1e-3 * warmed * (0.5 + 0.5 * np.cos(np.pi * np.clip(step / steps, 0, 1)))


def scene(kind: Kind) -> Scene:
    """A run at that stage; `forked` was undone once, `long` has 300,000 steps and one spike."""
    steps = 300_000 if kind == "long" else STEPS
    done = DONE.get(kind, int(0.67 * steps))
    track, forks = Track(), {0: Fork(0, None, 0)}
    read = rows(1, done, steps=steps) if done else np.zeros(0, ROW)
    if kind == "nan":
        read["loss"][2000:2400] = np.nan
    if kind == "long":
        read["loss"][123_456] = 9.0
    track.extend(read, forks)
    if kind == "forked":
        worse = rows(2400, 2900, branch=1)
        worse["loss"] += np.linspace(0, 1.2, len(worse))
        forks |= {1: Fork(1, 0, 2399), 2: Fork(2, 1, 2500)}
        track.extend(worse, forks)
        track.extend(rows(2501, 3100, branch=2, seed=9), forks)
        done = 3100
    return _told(Scene(track, steps, epochs=EPOCHS), done, kind)


def _told(plain: Scene, done: int, kind: Kind) -> Scene:
    """With what the events of such a run say."""
    each = plain.steps // EPOCHS
    ended = range(each, done + 1, each)
    validation = tuple(
        (step, {"loss": 0.05 + 0.9 * 0.45**number, "accuracy": 0.985 - 0.05 * 0.5**number})
        for number, step in enumerate(ended, start=1)
    )
    marks = (
        Mark(int(plain.steps * 0.26), "l", False),
        Mark(int(plain.steps * 0.43), "l"),
        Mark(int(plain.steps * 0.6), "o"),
    )
    left = np.linspace(done, plain.steps, 80)
    return replace(
        plain,
        validation=validation,
        marks=tuple(mark for mark in marks if mark.step <= done),
        best=(validation[-1][0], validation[-1][1]["accuracy"], "accuracy") if validation else None,
        ahead=tuple(zip(left.astype(int).tolist(), rate(left, plain.steps).tolist(), strict=True))
        if kind != "finished"
        else (),
        stage=kind if kind in ("paused", "finished") else "starting" if not done else "training",
    )
