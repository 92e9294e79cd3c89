"""How long things took: by task name and by call, in seconds, at any moment."""

import threading
from typing import Any

import pytest
from pydantic import ValidationError

from flowscope import Durations, FlowConfig, RunStatus, TaskDurations, TaskTiming, current_flow, flow, task


@task
def step(gate: threading.Event | None = None) -> None:
    """Waits for the gate, if there is one."""
    if gate is not None:
        assert gate.wait(30)


@task(raise_on_error=False)
def broken() -> None:
    """Fails, and is tolerated."""
    raise ValueError


@flow
def work(steps: int = 3) -> None:
    """So many steps and one failure."""
    for _ in range(steps):
        step()
    broken()


def close_to(seconds: float) -> Any:
    """What equals a sum of floats, however it was summed."""
    return pytest.approx(seconds)  # pyright: ignore[reportUnknownMemberType] # pytest leaves its types open


def test_nothing_before_the_execution() -> None:
    """A flow that has not been executed has empty durations, with 0.0."""
    made = work()
    assert made.durations() == Durations(
        flow_name="work", flow_status=RunStatus.PENDING, flow_duration=0.0, flow_tasks={}, calls={}
    )
    assert made.durations_with_tasks_status() == TaskDurations(
        flow_name="work", flow_status=RunStatus.PENDING, flow_duration=0.0, flow_tasks={}
    )
    assert made.flow_output() == {"output": None, "durations": made.durations()}


def test_calls_of_one_name_are_summed() -> None:
    """Five calls of one task are five calls: counted, summed, with least, most and mean."""
    made = work(5).execute()
    durations, record = made.durations(), made.flow_run
    assert (durations.flow_name, durations.flow_status) == ("work", RunStatus.COMPLETED)
    spent = [call.duration for call in record.tasks if call.task_name == "step"]
    assert set(durations.flow_tasks) == set(durations.calls) == {"step", "broken"}
    timing = durations.calls["step"]
    assert (timing.count, durations.calls["broken"].count) == (5, 1)
    assert timing.total == durations.flow_tasks["step"] == close_to(sum(spent))
    assert (timing.min, timing.max) == (min(spent), max(spent))
    assert timing.mean == close_to(timing.total / 5)
    assert 0 < timing.min <= timing.max < timing.total < durations.flow_duration
    assert durations.flow_duration == record.duration


def test_every_call_by_its_order() -> None:
    """With tasks and status: one entry per call, by execution order, with the task's own status."""
    made = work(2).execute()
    durations = made.durations_with_tasks_status()
    assert (durations.flow_name, durations.flow_status) == ("work", RunStatus.COMPLETED)
    assert durations.flow_duration == made.flow_run.duration
    assert list(durations.flow_tasks) == [1, 2, 3]
    assert [(found.task_name, found.task_status) for found in durations.flow_tasks.values()] == [
        ("step", RunStatus.COMPLETED),
        ("step", RunStatus.COMPLETED),
        ("broken", RunStatus.FAILED),
    ]
    assert [found.task_duration for found in durations.flow_tasks.values()] == [
        call.duration for call in made.flow_run.tasks
    ]


def test_a_running_flow_has_growing_durations() -> None:
    """While the flow runs its own duration grows and open calls are told as running; by name only ended calls count."""
    seen: list[tuple[Durations, TaskDurations]] = []

    @task
    def looking() -> None:
        for _ in range(2):
            seen.append((current_flow().durations(), current_flow().durations_with_tasks_status()))

    @flow
    def watched() -> None:
        step()
        looking()

    made = watched().execute()
    (first, first_calls), (second, second_calls) = seen
    assert first.flow_status is first_calls.flow_status is RunStatus.RUNNING
    assert 0 < first.flow_duration < second.flow_duration < made.durations().flow_duration
    assert set(first.calls) == {"step"}
    assert first_calls.flow_tasks[1].task_status is RunStatus.COMPLETED
    assert first_calls.flow_tasks[2].task_status is RunStatus.RUNNING
    assert first_calls.flow_tasks[1] == second_calls.flow_tasks[1]
    assert 0 < first_calls.flow_tasks[2].task_duration < second_calls.flow_tasks[2].task_duration
    assert made.durations().calls["looking"].count == 1


def test_a_failed_flow_has_durations() -> None:
    """The status is that of the flow, and the calls up to the failure are there."""

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def fails() -> None:
        step()
        raise ValueError

    made = fails().execute()
    assert made.durations().flow_status is RunStatus.FAILED
    assert made.durations().calls["step"].count == 1
    assert made.flow_output() == {"output": None, "durations": made.durations()}


def test_nothing_grows_after_the_end() -> None:
    """The durations of an ended flow do not change."""
    made = work().execute()
    assert made.durations() == made.durations()
    assert made.durations_with_tasks_status() == made.durations_with_tasks_status()


def test_an_outer_call_contains_its_inner_ones() -> None:
    """The time of a task that calls others includes theirs."""

    @task
    def outer() -> None:
        step()
        step()

    @flow
    def nested() -> None:
        outer()

    durations = nested().execute().durations()
    assert durations.flow_duration > durations.flow_tasks["outer"] > durations.flow_tasks["step"]


def test_counted_tasks_have_figures_too() -> None:
    """Tasks that are only counted are in the durations by name, and not in those by call."""

    @flow(flow_config=FlowConfig(add_task_to_self=False))
    def counted() -> None:
        for _ in range(5_000):
            step()
        broken()

    made = counted().execute()
    timing = made.durations().calls["step"]
    assert (timing.count, made.durations().calls["broken"].count) == (5_000, 1)
    assert 0 < timing.min <= timing.max < timing.total < made.durations().flow_duration
    assert timing.mean == close_to(timing.total / 5_000)
    assert made.durations_with_tasks_status().flow_tasks == {}


def test_waiting_is_counted() -> None:
    """A task lasts until it returns, so its duration covers the time for which it waited."""
    gate, waiting = threading.Event(), threading.Event()
    running: list[Any] = []

    @flow
    def waits() -> None:
        running.append(current_flow())
        waiting.set()
        step(gate)

    made = waits()
    thread = threading.Thread(target=made.execute)
    thread.start()
    assert waiting.wait(30)
    before = running[0].durations().flow_duration
    after = running[0].durations().flow_duration
    gate.set()
    thread.join(30)
    assert made.durations().flow_duration > after > before > 0


@pytest.mark.parametrize("kind", ["durations", "durations_with_tasks_status"])
def test_durations_are_frozen_json(kind: str) -> None:
    """Durations cannot be changed, and go through JSON."""
    found: Durations | TaskDurations = getattr(work().execute(), kind)()
    for name in type(found).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(found, name, getattr(found, name))
    assert type(found).model_validate_json(found.model_dump_json()) == found
    assert set(found.model_dump()) >= {"flow_name", "flow_status", "flow_duration", "flow_tasks"}


def test_the_shapes_are_those_of_the_contract() -> None:
    """The fields of the three models are the promised ones."""
    assert list(Durations.model_fields) == ["flow_name", "flow_status", "flow_duration", "flow_tasks", "calls"]
    assert list(TaskDurations.model_fields) == ["flow_name", "flow_status", "flow_duration", "flow_tasks"]
    assert list(TaskTiming.model_fields) == ["count", "total", "min", "max", "mean"]
    written = work(1).execute().durations_with_tasks_status().model_dump(mode="json")
    assert list(written["flow_tasks"]) == ["1", "2"]
    assert list(written["flow_tasks"]["1"]) == ["task_name", "task_duration", "task_status"]
