"""How a flow went: its value, status, record and durations."""

from math import isclose
from typing import Any

import pytest

from flowscope import INJECTED, Durations, Flow, NotExecutedError, RunStatus, current_flow, flow, task


@task
def double(x: int) -> int:
    return 2 * x


@flow
def doubled(x: int) -> int:
    return double(x)


def test_the_value_is_the_very_object_and_falsy_values_count() -> None:
    """`return_value` is what the function returned, as the same object, None, 0 and empty containers included."""
    values: list[Any] = [0, "", [], {}, False, None, [1], object()]
    for value in values:

        def give(given: Any = value) -> Any:
            return given

        assert Flow[Any]().setup(give).execute().return_value is value


def test_the_outcome_cannot_be_asked_for_before_the_end() -> None:
    """`return_value` raises `NotExecutedError` before the execution and during it; the error says how it stands."""

    @flow
    def impatient() -> str:
        with pytest.raises(NotExecutedError, match="running"):
            _ = current_flow().return_value
        return "done"

    made = impatient()
    with pytest.raises(NotExecutedError, match="pending"):
        _ = made.return_value
    assert made.flow_error is None
    assert made.execute().return_value == "done"


def test_status_follows_the_run() -> None:
    """A flow is pending, running, then completed; it has succeeded only at the end."""
    seen: list[tuple[RunStatus, bool]] = []

    @flow
    def watched(this_flow: Flow[None] = INJECTED) -> None:
        seen.append((this_flow.status, this_flow.succeeded))

    made = watched()
    seen.append((made.status, made.succeeded))
    made.execute()
    seen.append((made.status, made.succeeded))
    assert seen == [(RunStatus.PENDING, False), (RunStatus.RUNNING, False), (RunStatus.COMPLETED, True)]


def test_the_record_can_be_read_at_any_moment() -> None:
    """`flow_run` shows a pending flow with its params, a running one so far, and the finished one."""

    @flow
    def half(x: int) -> None:
        double(x)
        record = current_flow().flow_run
        assert record.status is RunStatus.RUNNING
        assert record.end_time is None
        assert [t.task_name for t in record.tasks] == ["double"]

    made = half(1)
    before = made.flow_run
    assert (before.status, before.params, before.start_time) == (RunStatus.PENDING, {"x": 1}, None)
    after = made.execute().flow_run
    assert before.flow_id == after.flow_id
    assert after.start_time is not None
    assert after.end_time is not None
    assert before.status is RunStatus.PENDING


def test_durations_are_empty_before_the_execution() -> None:
    """Before the execution both views of durations are empty, with 0.0."""
    made = doubled(1)
    totals, single = made.durations(), made.durations_with_tasks_status()
    assert (totals.flow_name, totals.flow_status, totals.flow_duration) == ("doubled", RunStatus.PENDING, 0.0)
    assert (single.flow_name, single.flow_status, single.flow_duration) == ("doubled", RunStatus.PENDING, 0.0)
    assert (totals.flow_tasks, totals.calls, single.flow_tasks) == ({}, {}, {})


def test_durations_count_every_call_of_a_name() -> None:
    """Calls of one task are added up by name, and listed one by one by execution order."""

    @task(raise_on_error=False)
    def fragile() -> None:
        raise ValueError

    @flow
    def busy() -> None:
        for n in range(3):
            double(n)
        fragile()

    made = busy().execute()
    totals, single = made.durations(), made.durations_with_tasks_status()
    timing = totals.calls["double"]
    assert set(totals.flow_tasks) == set(totals.calls) == {"double", "fragile"}
    assert timing.count == 3
    assert timing.total == totals.flow_tasks["double"]
    assert 0.0 <= timing.min <= timing.mean <= timing.max <= timing.total <= totals.flow_duration
    assert isclose(timing.mean, timing.total / 3)
    assert [(order, t.task_name, t.task_status) for order, t in single.flow_tasks.items()] == [
        (1, "double", RunStatus.COMPLETED),
        (2, "double", RunStatus.COMPLETED),
        (3, "double", RunStatus.COMPLETED),
        (4, "fragile", RunStatus.FAILED),
    ]
    assert isclose(sum(t.task_duration for t in list(single.flow_tasks.values())[:3]), timing.total)
    assert totals.flow_duration == single.flow_duration == made.flow_run.duration


def test_the_output_is_the_value_and_the_durations() -> None:
    """`flow_output` gives the value, None before there is one, with the durations."""
    made = doubled(2)
    before = made.flow_output()
    assert before["output"] is None
    after = made.execute().flow_output()
    assert after["output"] == 4
    assert set(after) == {"output", "durations"}
    assert isinstance(after["durations"], Durations)
    assert after["durations"] == made.durations()
