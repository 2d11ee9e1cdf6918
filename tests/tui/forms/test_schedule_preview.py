import msgspec
import pytest
from rich.cells import cell_len
from support.statuses import END, EPOCH, STARTING, status

from trainconsole.engine.config.parsing import variants
from trainconsole.engine.config.schedules import AnySchedule, Constant, Cosine, MultiStep, OneCycle, StepDecay
from trainconsole.engine.schedule import rate_plan
from trainconsole.engine.schedule.rate_plan import Position
from trainconsole.tui.forms.schedule_preview import drawn, moment, preview
from trainconsole.tui.text.charts import Line, lines_chart

EVERY = [struct() for name, struct in variants(AnySchedule).items() if name != "multistep"]


@pytest.mark.parametrize("schedule", [*EVERY, MultiStep(milestones=(2, 3))], ids=lambda s: type(s).__name__)
def test_the_preview_is_the_rate_that_the_change_leads_to(schedule):
    now = status(step=437)
    seen = preview(now, schedule)
    plan = rate_plan.change(now.plan, schedule, Position(437, 4.37), END)
    at = [Position(int(step), step / EPOCH) for step in seen.steps]
    assert seen.coming == pytest.approx([rate_plan.rate(plan, position) for position in at])
    assert seen.present == pytest.approx([rate_plan.rate(now.plan, position) for position in at])
    assert (seen.steps[0], seen.steps[-1]) == (437, END.step)


def test_a_few_steps_before_the_end_each_is_there():
    assert preview(status(step=996), Cosine()).steps == (996, 997, 998, 999, 1000)


def test_without_a_plan_or_a_step_left_there_is_none():
    assert preview(STARTING, Cosine()) is None
    assert preview(status(step=1000), Cosine()) is None


def test_words_follow_the_curve():
    assert preview(status(), None).words == "5e-4 → 0"
    assert preview(status(), Constant()).words == "5e-4 → 5e-4"
    assert preview(status(), OneCycle()).words == "2e-5 → 5e-4 → 2e-9"
    assert preview(status(), StepDecay(step_size=1)).words == "5e-4 → 5e-9"


def test_the_picture_keeps_still_until_the_run_has_gone_on_a_little():
    long = msgspec.structs.replace(status(step=100), steps=100_000)
    assert moment(long) == moment(msgspec.structs.replace(long, step=101, epochs_done=1.01))
    assert moment(long) != moment(msgspec.structs.replace(long, step=3000))
    assert moment(long) != moment(msgspec.structs.replace(long, plan=status(lr=0.1).plan))


@pytest.mark.parametrize("size", [(24, 5), (30, 6), (48, 10), (60, 6), (100, 20)])
@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("schedule", [*EVERY, None], ids=lambda s: type(s).__name__)
def test_the_chart_has_exactly_the_size_asked_for(size, unicode, schedule):
    lines = drawn(preview(status(), schedule), *size, color=False, unicode=unicode)
    assert len(lines) == size[1]
    assert {cell_len(line) for line in lines} == {size[0]}
    assert unicode or "".join(lines).isascii()


@pytest.mark.parametrize("size", [(0, 0), (23, 10), (60, 4)])
def test_where_there_is_no_room_there_is_no_chart(size):
    assert drawn(preview(status(), None), *size, color=False, unicode=True) == []


def test_the_two_curves_are_told_apart_without_colour():
    lines = "\n".join(drawn(preview(status(), Constant()), 60, 12, color=False, unicode=True))
    assert "·" in lines
    assert any("\u2800" < char <= "\u28ff" for char in lines)


def rows_of(char: str, lines: list[str]) -> list[int]:
    return [index for index, line in enumerate(lines) if char in line]


def test_lines_stand_where_their_values_are():
    """A line at the top of the range is drawn above one at the bottom, the axis starts at 0."""
    top, bottom = (
        Line((0, 10), (1.0, 1.0), "#5fafff"),
        Line((0, 5, 10), (0.0, 0.0, 0.0), "#ffaf00", dotted=True),
    )
    lines = lines_chart([top, bottom], 40, 10)
    braille = [i for i, line in enumerate(lines) if any("\u2800" < c <= "\u28ff" for c in line)]
    assert max(braille) < min(rows_of("·", lines))
    assert lines[rows_of("·", lines)[0]].split("┤")[0].strip() == "0"


def test_colours_are_those_asked_for():
    text = "\n".join(lines_chart([Line((0, 1), (1.0, 0.5), "#5fafff")], 40, 10, color=True))
    assert "38;2;95;175;255" in text
    assert "\x1b" not in "\n".join(lines_chart([Line((0, 1), (1.0, 0.5), "#5fafff")], 40, 10))


@pytest.mark.parametrize("ys", [(0.0, 0.0), (1e-12, 1e-12), (1e29, 1.0)])
def test_any_range_can_be_drawn(ys):
    assert len(lines_chart([Line((3, 4), ys, "#5fafff")], 40, 8)) == 8
    assert len(lines_chart([Line((3,), ys[:1], "#5fafff")], 40, 8)) == 8


def test_no_points_are_an_error():
    with pytest.raises(ValueError, match="empty"):
        lines_chart([Line((), (), "#5fafff")], 40, 8)
