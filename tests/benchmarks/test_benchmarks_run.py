"""The benchmarks work: every row measures something, and the command tells it. How fast things are is not tested."""

import json
import math
from pathlib import Path

import pytest

from .command import main
from .figures import TINY, Figure, Row
from .measure import compare, readable
from .peers.peer import WORK
from .peers.side_by_side import Cost, Outcome, measure_here, measure_peer
from .rows import ROWS
from .table import figures_text, peers_text


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_measures_something(row: Row) -> None:
    """Each row gives figures that are numbers, with the least possible work."""
    figures = row.measure(TINY)
    assert figures
    assert all(math.isfinite(figure.value) and figure.value >= 0 for figure in figures)


def test_rows_have_names_of_their_own() -> None:
    """`--only` can tell the rows apart."""
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_the_command_prints_a_table_and_writes_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table tells the conditions, the figure and the budget; the JSON holds the same."""
    file = tmp_path / "figures.json"
    status = main(["--quick-tiny", "--only", "task-memory", "--no-peers", "--json", str(file)])
    printed = capsys.readouterr().out
    assert status == 0
    assert "Python" in printed
    assert "memory of a kept task" in printed
    assert "400 bytes" in printed
    document = json.loads(file.read_text(encoding="utf-8"))
    assert [figure["budget"] for figure in document["rows"]["task-memory"]] == [400, 400]
    assert document["failures"] == document["peers"] == {}


def test_the_same_work_is_measured_in_a_process_of_its_own() -> None:
    """A library that is installed tells what each piece of work costs, and what the same costs by hand."""
    outcome = measure_peer("flowscope", TINY)
    assert outcome.reason == ""
    assert set(outcome.costs) == set(WORK)
    assert all(cost.amount > 0 and cost.by_hand > 0 for cost in outcome.costs.values())


def test_the_same_work_is_measured_in_this_process() -> None:
    """What the fresh process does is all of the work."""
    assert set(measure_here("flowscope", TINY)) == set(WORK)


def test_libraries_that_were_not_measured_say_why() -> None:
    """One that is not installed, or fails, costs a line of text and nothing else."""
    work = {name: Cost(2_000.0, 500.0) for name in WORK}
    text = peers_text([Outcome("here 1.0", work), Outcome("gone", {}, "not installed")])
    assert "here 1.0" in text
    assert "4.0 x" in text
    assert text.endswith("gone: not installed")
    assert peers_text([Outcome("gone", {}, "not installed")]) == "gone: not installed"


def test_a_figure_is_judged_by_its_budget() -> None:
    """At the budget is met, above it is missed, and without one there is no verdict."""
    assert Figure("some work", 4.0, "x", 4.0).verdict == "met"
    assert Figure("some work", 4.1, "x", 4.0).verdict == "MISSED"
    assert Figure("some work", 4.1, "x").verdict == ""
    assert "MISSED" in figures_text([Figure("some work", 4.1, "x", 4.0)])


def test_floor_and_subject_take_turns() -> None:
    """Each is timed once a round, the first round does not count, and ratios are made within a round."""
    turns: list[str] = []

    def floor() -> float:
        turns.append("floor")
        return float(len(turns))

    def subject() -> float:
        turns.append("subject")
        return 2.0 * len(turns)

    timed = compare(floor, subject, rounds=2)
    assert turns == ["subject", "floor", "floor", "subject", "subject", "floor"]
    assert timed.floor == [3.0, 6.0]
    assert timed.subject == [8.0, 10.0]
    assert math.isclose(timed.figure("some work", None).value, (8 / 3 + 10 / 6) / 2)


@pytest.mark.parametrize(
    ("nanoseconds", "text"), [(12.0, "12 ns"), (1_500.0, "1.5 µs"), (2e6, "2 ms"), (3.21e9, "3.21 s")]
)
def test_durations_are_readable(nanoseconds: float, text: str) -> None:
    """A duration is shown in the unit that suits it."""
    assert readable(nanoseconds) == text
