"""Every executor: events, retries and timing of submitted calls."""

from datetime import timedelta
from typing import Any

import pytest

from flowscope import (
    EventType,
    Executor,
    Flow,
    FlowEvent,
    FlowRun,
    RunStatus,
    current_flow,
    flow_events,
    submit,
)
from support.executors.scenarios import Here, said
from support.executors.task_forms import Tasks

from .conftest import Perform


def test_retries_are_recorded(perform: Perform, tasks: Tasks, here: Here) -> None:
    """A task is tried again as it says, with a log entry for each failed attempt, and one record."""

    async def scenario() -> list[Any]:
        return [await here.value(submit(tasks.insist, 2)), await here.error(submit(tasks.insist, 9))]

    made = perform(scenario)
    third, error = made.return_value
    assert third == 3
    assert type(error).__name__ == "Refused"
    first, second = made.flow_run.tasks
    assert (first.status, first.attempts, first.error) == (RunStatus.COMPLETED, 3, None)
    assert (second.status, second.attempts) == (RunStatus.FAILED, 4)
    name = tasks.name("insist")
    assert [entry.message for entry in said(made.flow_run) if entry.task_id == first.task_id] == [
        "attempt 1",
        f"task {name!r}: attempt 1 of 4 failed, next in 0 s: Refused: not at attempt 1",
        "attempt 2",
        f"task {name!r}: attempt 2 of 4 failed, next in 0 s: Refused: not at attempt 2",
        "attempt 3",
    ]
    assert [note.split(" (")[0] for note in error.__notes__] == [f"in task {name!r}"]


def test_retries_of_nested_tasks_are_recorded(perform: Perform, tasks: Tasks, here: Here) -> None:
    """A nested task that is tried again has its attempts counted."""

    async def scenario() -> int:
        return await here.value(submit(tasks.nested_insist, 1))

    made = perform(scenario)
    assert made.return_value == 2
    outer, nested = made.flow_run.tasks
    assert (outer.attempts, nested.attempts) == (1, 2)
    assert [entry.level for entry in said(made.flow_run)] == ["INFO", "WARNING", "INFO"]
    assert {entry.task_id for entry in said(made.flow_run)} == {nested.task_id}


def test_timing_is_that_of_the_call(perform: Perform, tasks: Tasks, here: Here) -> None:
    """A task's duration is the time in which its function ran, and lies within that of its flow."""

    async def scenario() -> list[float]:
        return await here.values([submit(tasks.take_time, 0.05) for _ in range(3)])

    made = perform(scenario)
    record = made.flow_run
    for spent, task in zip(made.return_value, record.tasks, strict=True):
        assert spent <= task.duration <= record.duration
        assert task.end_time is not None
        assert record.start_time is not None
        assert record.end_time is not None
        assert record.start_time <= task.start_time < task.end_time <= record.end_time
        assert (task.end_time - task.start_time) / timedelta(seconds=1) == pytest.approx(task.duration, abs=1e-4)
    totals = made.durations().calls[tasks.name("take_time")]
    assert totals.count == 3
    assert totals.total == pytest.approx(sum(task.duration for task in record.tasks))


def kinds_of(events: list[FlowEvent], task_id: str) -> list[str]:
    """The kinds of the events of one task."""
    return [event.event_type.value for event in events if event.event_data.task_run_id == task_id]


def test_events_are_those_of_a_direct_call(perform: Perform, tasks: Tasks, here: Here) -> None:
    """The start, messages, findings, retries and end of a task are events, in order and without a gap."""

    async def scenario() -> None:
        await here.value(submit(tasks.discover, "a"))
        await here.value(submit(tasks.say, "a"))
        await here.value(submit(tasks.nested_insist, 1))
        await here.error(submit(tasks.crash, "a"))

    record = perform(scenario, capture_events=True).flow_run
    events = record.events
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.timestamp for event in events] == sorted(event.timestamp for event in events)
    finds, says, outer, nested, fails = record.tasks
    start, stop, message = "task_start", "task_stop", "flow_message"
    assert kinds_of(events, finds.task_id) == [
        *(start, "new_artifact", "new_result", "new_artifact", "new_result", stop)
    ]
    assert kinds_of(events, says.task_id) == [start, *[message] * 7, stop]
    assert kinds_of(events, outer.task_id) == [start, stop]
    assert kinds_of(events, nested.task_id) == [start, message, message, "task_retry", message, stop]
    assert kinds_of(events, fails.task_id) == [start, message, stop]
    assert {event.event_data.flow_run_id for event in events} == {record.flow_id}
    names = {event.event_data.task_run_id: event.event_data.task_name for event in events}
    assert all(names[task.task_id] == task.task_name for task in record.tasks)


def test_the_payload_of_task_stop(perform: Perform, tasks: Tasks, here: Here) -> None:
    """TASK_STOP tells status, duration, attempts and error, and its start tells the parent."""
    heard: list[FlowEvent] = []

    async def scenario() -> None:
        await here.error(submit(tasks.inner_crash, "a"))

    with flow_events.subscribe(heard.append, EventType.TASK_STOP, EventType.TASK_START, flow_name="scenario"):
        record = perform(scenario).flow_run
    stops = {one.event_data.task_run_id: one.event_data.data for one in heard if one.event_type is EventType.TASK_STOP}
    starts = {
        one.event_data.task_run_id: one.event_data.data for one in heard if one.event_type is EventType.TASK_START
    }
    for task in record.tasks:
        stop = stops[task.task_id]
        assert (stop["status"], stop["attempt"]) == (RunStatus.FAILED, 1)
        assert stop["duration"] == pytest.approx(task.duration)
        assert stop["error"] == task.error
        assert starts[task.task_id]["parent_task_id"] == task.parent_task_id
    assert len(heard) == 6


def test_the_executor_is_recorded(perform: Perform, tasks: Tasks, here: Here, executor: Executor) -> None:
    """`TaskRun.executor` is the executor's name for submitted calls."""

    async def scenario() -> None:
        await here.values([submit(tasks.echo, number) for number in range(3)])

    assert [task.executor for task in perform(scenario).flow_run.tasks] == [executor.name] * 3


def test_the_record_survives_json(perform: Perform, tasks: Tasks, here: Here) -> None:
    """The record of all this round-trips through JSON."""

    async def scenario() -> None:
        for submitted in (submit(tasks.nest, 2), submit(tasks.say, "a"), submit(tasks.discover, "a")):
            await here.value(submitted)
        await here.error(submit(tasks.inner_crash, "boom"))

    record = perform(scenario, capture_events=True).flow_run
    text = record.model_dump_json()
    assert FlowRun.model_validate_json(text).model_dump_json() == text


def test_secrets_are_masked(perform: Perform, tasks: Tasks, here: Here) -> None:
    """Arguments with the name of a secret are masked in the record, of submitted and of nested tasks."""

    async def scenario() -> None:
        await here.value(submit(tasks.log_in, "me", password="open sesame"))  # noqa: S106

    made = perform(scenario, capture_events=True)
    assert [task.input_kwargs for task in made.flow_run.tasks if task.input_kwargs] == [{"password": "**********"}] * 2
    assert "open sesame" not in made.flow_run.model_dump_json()


def test_the_running_task_knows_itself(perform: Perform, tasks: Tasks, here: Here) -> None:
    """While it runs, a task has its number of the attempt, status and id, as its record says afterwards."""

    async def scenario() -> Any:
        return await here.value(submit(tasks.introspect))

    made = perform(scenario)
    (task,) = made.flow_run.tasks
    assert made.return_value == (task.task_id, tasks.name("introspect"), 1, RunStatus.RUNNING, made.flow_id, None)


def test_tasks_are_counted_where_they_are_not_kept(perform: Perform, tasks: Tasks, here: Here) -> None:
    """With `add_task_to_self=False` nested tasks are counted too, and none is kept."""
    heard: list[FlowEvent] = []

    async def scenario() -> Flow[Any]:
        current_flow().add_listener(heard.append, EventType.FLOW_STOP)
        await here.value(submit(tasks.nest, 2))
        await here.error(submit(tasks.crash, "boom"))
        return current_flow()

    made = perform(scenario, add_task_to_self=False)
    assert made.flow_run.tasks == []
    assert heard[0].event_data.data["tasks"] == {"total": 4, "failed": 1}
    assert made.durations().calls[tasks.name("inner")].count == 2
