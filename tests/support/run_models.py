"""Runs made by hand, for the console to show: no host, no clock, the same every time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainconsole.engine.config.knobs import KNOBS
from trainconsole.engine.config.schedules import Cosine
from trainconsole.engine.protocol.events import (
    AnyEvent,
    Best,
    Branched,
    CommandApplied,
    CommandRejected,
    EpochEnded,
    Failed,
    Finished,
    Started,
)
from trainconsole.engine.protocol.status import InForce, Stage, Status
from trainconsole.engine.record.metric_rows import ROW, Rows
from trainconsole.engine.record.scalars import SCALAR
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.rate_plan import Plan, Position
from trainconsole.tui.state.run_model import Sight

EPOCH = 200
EPOCHS = 10
RUN = Path("/runs/2026-01-02_10-00-00_digits")
END = Position(EPOCH * EPOCHS, float(EPOCHS))
PLAN: Plan = rate_plan.start(Cosine(), 1e-3, Position(0, 0.0), END)
IN_FORCE = {
    "optimizer": "adamw",
    "lr": 1e-3,
    "betas": [0.9, 0.999],
    "eps": 1e-8,
    "amsgrad": False,
    "schedule": "cosine",
    "epochs": EPOCHS,
    "batch_size": 64,
    "steps": EPOCH * EPOCHS,
    "weight_decay": 1e-4,
    "l1": 0.0,
    "clip.norm": 1.0,
    "clip.value": None,
    "dropout": 0.25,
    "label_smoothing": 0.0,
    "augment": 0.0,
    "patience": 5,
}


def rows(steps: int, *, start: int = 0, branch: int = 0, gradients: bool = True, seed: int = 0) -> Rows:
    """Steps start + 1 to `steps` of a noisy run that gets better."""
    noise = np.random.default_rng(seed)
    made = np.zeros(steps - start, ROW)
    step = np.arange(start + 1, steps + 1)
    made["step"], made["branch"], made["epoch"] = step, branch, (step - 1) // EPOCH + 1
    made["time"] = step * 0.002
    made["loss"] = 2.2 * np.exp(-step / 350) + 0.06 + noise.gamma(2.0, 0.02, len(step))
    made["metric"] = np.clip(1 - 0.85 * np.exp(-step / 300) + noise.normal(0, 0.02, len(step)), 0, 1)
    made["lr"] = [rate_plan.rate(PLAN, Position(s - 1, (s - 1) / EPOCH)) for s in step.tolist()]
    made["grad_norm"] = noise.gamma(3.0, 0.2, len(step)) if gradients else np.nan
    return made


def epoch(number: int, branch: int = 0) -> AnyEvent:
    step = number * EPOCH
    accuracy = round(1 - 0.9 * float(np.exp(-step / 350)) - (0.01 if number == 4 else 0.0), 4)
    best_of = number if number != 4 else 3
    return EpochEnded(
        step=step,
        branch=branch,
        epoch=number,
        train={"loss": 0.5 / number, "accuracy": accuracy},
        val={"loss": round(2.2 * float(np.exp(-step / 350)) + 0.1, 4), "accuracy": accuracy},
        lr=1e-3,
        steps_per_second=512.0,
        best=Best(
            epoch=best_of,
            step=best_of * EPOCH,
            metric="accuracy",
            value=round(1 - 0.9 * float(np.exp(-best_of * EPOCH / 350)), 4),
        ),
    )


def applied(step: int, command: str, before: object, after: object, note: str = "") -> AnyEvent:
    return CommandApplied(
        step=step,
        branch=0,
        command=command,
        id=f"{step}-{command}",
        origin="console",
        before=before,  # type: ignore[arg-type]
        after=after,  # type: ignore[arg-type]
        note=note,
    )


def started() -> AnyEvent:
    return Started(
        step=0,
        branch=0,
        run=RUN.name,
        preset="digits",
        seed=0,
        device="cpu",
        threads=2,
        parameters=25_450,
        sizes={"train": 1257, "val": 270, "test": 270},
    )


def events(until: int) -> list[AnyEvent]:
    """What happened up to step `until`."""
    commands = [
        applied(430, "lr x0.5", {"lr": 1e-3}, {"lr": 5e-4}, "the rest of the schedule is multiplied with it"),
        CommandRejected(
            step=515,
            branch=0,
            command="lr x1e6",
            id="r",
            origin="console",
            reason="a learning rate of 500 is not above 0 and at most 100",
        ),
        applied(
            700,
            "optimizer sgd lr=0.01 momentum=0.9",
            {"optimizer": "adamw", "lr": 5e-4},
            {"optimizer": "sgd", "lr": 0.01},
            "momentum starts from the first moment",
        ),
    ]
    every = [*(epoch(number) for number in range(1, until // EPOCH + 1)), *commands]
    return [started(), *sorted((e for e in every if e.step <= until), key=lambda e: e.step)]


def status(step: int, stage: Stage = "training") -> Status:
    done = step / EPOCH
    return Status(
        pid=1,
        run=RUN.name,
        stage=stage,
        step=step,
        steps=EPOCH * EPOCHS,
        epoch=min(int(done) + 1, EPOCHS),
        epochs=EPOCHS,
        epochs_done=done,
        steps_per_second=512.0,
        time_left=(EPOCH * EPOCHS - step) / 512,
        in_force=InForce.of(IN_FORCE, KNOBS),
        plan=PLAN,
        patience_left=3,
        rows=step,
        loss=0.1432,
        metric=0.9688,
        metric_name="accuracy",
    )


def finished() -> AnyEvent:
    return Finished(
        step=EPOCH * EPOCHS,
        branch=0,
        reason="completed",
        test={"loss": 0.0712, "accuracy": 0.9833},
        best=Best(epoch=9, step=1800, metric="accuracy", value=0.9947),
        run=str(RUN),
        weights_sha256="3f" * 32,
        lineage=(),
        confusion=((50, 1, 0), (2, 48, 1), (0, 0, 52)),
        classes=("zero", "one", "two"),
    )


def failed() -> AnyEvent:
    return Failed(step=900, branch=0, reason="the loss is nan at step 900 (layer fc1)", where="host.log")


def made(
    step: int, *, stage: Stage = "training", more: Sequence[AnyEvent] = (), kept: Rows | None = None
) -> Sight:
    """A run at `step`."""
    sight = Sight(RUN, "digits")
    sight.take(status=status(step, stage), events=[*events(step), *more])
    sight.take(rows=rows(step) if kept is None else kept)
    return sight


def with_nan() -> Sight:
    """Some losses were not finite."""
    broken = rows(900)
    broken["loss"][600:640] = np.nan
    broken["loss"][899] = np.inf
    return made(900, kept=broken)


def forked() -> Sight:
    """Undone at step 900, back to 600, and on to 800."""
    sight = made(900)
    led_here = ((430, "lr x0.5", "430-lr x0.5"),)
    fork = Branched(step=600, branch=1, parent=0, at_step=600, why="rewind", lineage=led_here)
    back = CommandApplied(step=600, branch=1, command="rewind best", id="b", origin="console")
    sight.take(status=status(800), events=[fork, back])
    sight.take(rows=rows(800, start=600, branch=1, seed=1))
    return sight


def own() -> Sight:
    """A loop that logs numbers of its own: one at each step, with a gap, and one at the end of each epoch. It
    measures no accuracy."""
    sight, kept = Sight(RUN, "digits"), rows(900, gradients=False)
    kept["metric"] = np.nan
    reward, score = np.zeros(901, SCALAR), np.zeros(4, SCALAR)
    reward["step"] = np.arange(901)
    reward["value"] = 3 - 4 * np.exp(-np.arange(901) / 300) + np.random.default_rng(3).normal(0, 0.3, 901)
    reward["value"][300:380] = np.nan
    score["step"], score["value"] = [200, 400, 600, 800], [0.31, 0.62, 0.58, 0.71]
    sight.take(
        status=status(900), events=[started()], rows=kept, own=[("reward", reward), ("eval/f1", score)]
    )
    return sight


def loading() -> Sight:
    sight = Sight(RUN, "digits")
    sight.take(status=Status(pid=1, run=RUN.name, stage="loading torch"))
    return sight
