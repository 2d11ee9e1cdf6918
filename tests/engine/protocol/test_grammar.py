import pytest

from trainconsole.engine.config.knobs import KNOBS
from trainconsole.engine.config.optimizers import Sgd
from trainconsole.engine.config.schedules import Cosine, MultiStep
from trainconsole.engine.protocol import commands
from trainconsole.engine.protocol.grammar import GrammarError, parse, spell, tidy

GOOD = {
    "lr 0.001": commands.Lr(value=0.001),
    "lr 5e-4": commands.Lr(value=5e-4),
    "lr x0.5": commands.Lr(factor=0.5),
    "schedule cosine": commands.SetSchedule(schedule=Cosine()),
    "schedule cosine T_max=100": commands.SetSchedule(schedule=Cosine(T_max=100)),
    "schedule multistep milestones=[3,5] gamma=0.2": commands.SetSchedule(
        schedule=MultiStep(milestones=(3, 5), gamma=0.2)
    ),
    "optimizer sgd": commands.SetOptimizer(optimizer=Sgd()),
    "optimizer sgd lr=0.01 momentum=0.9": commands.SetOptimizer(
        optimizer=Sgd(lr=0.01, momentum=0.9), given=("lr", "momentum")
    ),
    "set weight_decay 0.01": commands.SetKnob(knob="weight_decay", value=0.01),
    "set clip.norm off": commands.SetKnob(knob="clip.norm", value=None),
    "set augment on": commands.SetKnob(knob="augment", value=1.0),
    "batch 128": commands.SetBatch(size=128),
    "lr critic x0.5": commands.Lr(factor=0.5, optimizer="critic"),
    "lr optimizer_1 0.0001": commands.Lr(value=0.0001, optimizer="optimizer_1"),
    "epochs 20": commands.SetEpochs(epochs=20),
    "pause": commands.Pause(),
    "resume": commands.Resume(),
    "next": commands.Next(steps=1),
    "next 10": commands.Next(steps=10),
    "stop": commands.Stop(keep="last"),
    "stop best": commands.Stop(keep="best"),
    "evaluate": commands.Evaluate(),
    "checkpoint": commands.SaveCheckpoint(name=""),
    "checkpoint before-swap": commands.SaveCheckpoint(name="before-swap"),
    "undo": commands.Undo(),
    "rewind best": commands.Rewind(name="best"),
    "rewind step 120": commands.Rewind(step=120),
}

BAD = {
    "": "no command",
    "lrr 0.1": "did you mean 'lr'",
    "lr": "expected one value",
    "lr fast": "expected a number",
    "lr x": "expected a number",
    "lr 0.1 0.2": "expected one value",
    "schedule": "which one",
    "schedule cosin": "did you mean 'cosine'",
    "schedule cosine T_max": "expected key=value",
    "schedule cosine Tmax=3": "did you mean 'T_max'",
    "schedule multistep": "milestones: missing",
    "schedule multistep milestones=[5,3]": "must rise",
    "schedule my.mod:thing": "unknown",
    "optimizer adm": "did you mean 'adam'",
    "optimizer sgd lr=-1": "must be > 0",
    "optimizer sgd nesterov=true": "nesterov needs momentum",
    "optimizer sgd name=adam": "expected key=value",
    "set": "expected KNOB VALUE",
    "set dropot 0.5": "did you mean 'dropout'",
    "set dropout high": "expected a number",
    "batch 0": "whole number from 1",
    "batch 1.5": "whole number from 1",
    "batch ²": "whole number from 1",
    "epochs -3": "whole number from 1",
    "next 0": "whole number from 1",
    "stop now": "best or last",
    "pause please": "takes nothing more",
    "checkpoint best": "cannot be a name",
    "checkpoint ../x": "cannot be a name",
    "rewind": "expected one value",
    "rewind ../x": "to what",
    "rewind step x": "whole number from 0",
}


@pytest.mark.parametrize(("text", "command"), GOOD.items())
def test_each_command_has_its_text(text: str, command: commands.Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(("text", "reason"), BAD.items())
def test_nonsense_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(GrammarError) as refused:
        parse(text)
    assert reason in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 3


def test_every_knob_of_the_grammar_parses() -> None:
    assert [parse(f"set {knob} 0.1") for knob in KNOBS] == [
        commands.SetKnob(knob=knob, value=0.1) for knob in KNOBS
    ]


def test_blanks_do_not_matter() -> None:
    assert parse("  lr   0.1 ") == parse("lr 0.1")
    assert tidy("  lr   0.1 ") == "lr 0.1"


def test_hyphens_and_other_names_are_understood() -> None:
    assert parse("schedule one-cycle") == parse("schedule one_cycle")
    assert parse("schedule plateau") == parse("schedule reduce-on-plateau")


@pytest.mark.parametrize("text", ["sgd nesterov=true momentum=0.9", "adam betas=[0.8,0.9]", "adadelta"])
def test_spelling_an_optimizer_gives_its_command_back(text: str) -> None:
    command = parse(f"optimizer {text}")
    assert isinstance(command, commands.SetOptimizer)
    again = parse(f"optimizer {spell(command.optimizer)}")
    assert isinstance(again, commands.SetOptimizer)
    assert again.optimizer == command.optimizer
