"""Calling a task: it runs now, gives its value, and leaves a record."""

import asyncio
import threading
import time
from datetime import UTC
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    EventType,
    Flow,
    FlowEvent,
    NoActiveFlowError,
    RunStatus,
    Task,
    bind_context,
    current_task,
    flow,
    task,
)


@task
def add(x: int, y: int = 1) -> int:
    return x + y


@task
async def add_later(x: int, y: int = 1) -> int:
    await asyncio.sleep(0)
    return x + y


def test_a_call_runs_now_and_gives_the_very_value() -> None:
    """A task's value is what its function returned, as the same object, and its arguments are the caller's own."""
    given, made = [1], object()
    seen: list[object] = []

    @task
    def keep(argument: object) -> object:
        seen.append(argument)
        return made

    with Flow[None]():
        assert keep(given) is made
    assert seen[0] is given


def test_the_record_of_a_call() -> None:
    """The record has name, order, status, times, inputs and value; a direct call ran `inline`, in one attempt."""
    with Flow[None]() as made:
        add(1)
        add(2, y=3)
    first, second = made.flow_run.tasks
    assert (first.task_name, first.execution_order, first.status) == ("add", 1, RunStatus.COMPLETED)
    assert (second.input_args, second.input_kwargs, second.return_value) == ([2], {"y": 3}, 5)
    assert (first.attempts, first.executor, first.error, first.abandoned_thread) == (1, "inline", None, None)
    assert first.parent_task_id is None
    assert first.start_time is not None
    assert first.end_time is not None
    assert second.start_time is not None
    assert first.start_time.tzinfo is UTC
    assert first.start_time <= first.end_time <= second.start_time
    assert first.duration >= 0


def test_a_running_task_is_in_the_record_at_once() -> None:
    """A task that has started is recorded as running, without an end, and its duration so far."""

    @task
    def look(this_flow: Flow[Any] = INJECTED) -> None:
        (record,) = this_flow.flow_run.tasks
        assert (record.status, record.end_time, record.return_value) == (RunStatus.RUNNING, None, None)
        assert record.duration > 0
        assert [t.status for t in this_flow.executed_tasks] == [RunStatus.RUNNING]

    with Flow[None]() as made:
        look()
    assert made.flow_run.tasks[0].status is RunStatus.COMPLETED


def test_the_value_comes_back_while_inputs_are_kept_by_reference() -> None:
    """Inputs and values are not copied: a change made later shows in a record read later."""
    argument = [1]

    @task
    def give(values: list[int]) -> list[int]:
        return values

    with Flow[None]() as made:
        assert give(argument) is argument
        argument.append(2)
    record = made.flow_run.tasks[0]
    assert record.input_args == [[1, 2]]
    assert record.return_value == [1, 2]


def test_the_live_task() -> None:
    """Inside a call `current_task` is the live `Task`, with id, name, flow, data, status and attempt."""
    seen: list[Task] = []

    @task(task_name="step")
    def inspect(this_task: Task = INJECTED, task_data: dict[str, Any] = INJECTED) -> str:
        assert this_task is current_task()
        assert this_task.task_data is task_data
        assert (this_task.status, this_task.attempt, this_task.remaining) == (RunStatus.RUNNING, 1, None)
        assert (this_task.task_return_value, this_task.task_error) == (None, None)
        task_data["seen"] = True
        seen.append(this_task)
        return "value"

    with Flow[None]() as made:
        inspect()
        live = seen[0]
        assert live.flow is made
    assert made.executed_tasks[0] is live
    assert (live.task_name, live.status, live.task_return_value) == ("step", RunStatus.COMPLETED, "value")
    assert live.task_id == made.flow_run.tasks[0].task_id
    assert live.task_data == {"seen": True}
    assert live.flow is made
    assert "step" in repr(live)


def test_task_data_is_fresh_for_each_call() -> None:
    """Each call has a `task_data` of its own; `flow_data` is the one of the flow."""
    seen: list[tuple[int, int]] = []

    @task
    def count(task_data: dict[str, int] = INJECTED, flow_data: dict[str, int] = INJECTED) -> None:
        task_data["n"] = task_data.get("n", 0) + 1
        flow_data["n"] = flow_data.get("n", 0) + 1
        seen.append((task_data["n"], flow_data["n"]))

    with Flow[None]():
        for _ in range(3):
            count()
    assert seen == [(1, 1), (1, 2), (1, 3)]


def test_what_a_task_says_is_recorded_under_it() -> None:
    """Logs, artifacts and results that a task adds carry its id and its level."""

    @task
    def say(this_task: Task = INJECTED) -> None:
        this_task.log_debug("d")
        this_task.log_info("i")
        this_task.log_warning("w")
        this_task.log_error("e")
        artifact = this_task.add_artifact("a plot", key="plot", data=[1], artifact_type="image")
        result = this_task.add_result("rows", "how many", 7)
        assert (artifact.key, artifact.description, artifact.artifact_type) == ("plot", "a plot", "image")
        assert (result.key, result.description, result.value) == ("rows", "how many", 7)

    with Flow[None]() as made:
        say()
    record = made.flow_run
    task_id = record.tasks[0].task_id
    assert [(e.level, e.message, e.task_id) for e in record.logs] == [
        ("DEBUG", "d", task_id),
        ("INFO", "i", task_id),
        ("WARNING", "w", task_id),
        ("ERROR", "e", task_id),
    ]
    assert [(a.key, a.data, a.task_id) for a in record.artifacts] == [("plot", [1], task_id)]
    assert [(r.key, r.value, r.task_id) for r in record.results] == [("rows", 7, task_id)]


def test_each_call_starts_and_stops_once() -> None:
    """A call is told by one `task_start` and one `task_stop`, with its status, duration, attempt and error."""
    events: list[FlowEvent] = []

    @task
    def fails() -> None:
        raise ValueError("boom")

    made = Flow[None]()
    made.add_listener(events.append, EventType.TASK_START, EventType.TASK_STOP)
    with made:
        add(1)
        with pytest.raises(ValueError):
            fails()
    told = [(e.event_type, e.event_data.task_name) for e in events]
    assert told == [
        (EventType.TASK_START, "add"),
        (EventType.TASK_STOP, "add"),
        (EventType.TASK_START, "fails"),
        (EventType.TASK_STOP, "fails"),
    ]
    good, bad = events[1].event_data.data, events[3].event_data.data
    assert (good["status"], good["attempt"], good["error"]) == (RunStatus.COMPLETED, 1, None)
    assert bad["status"] is RunStatus.FAILED
    assert bad["error"].message == "boom"
    assert good["duration"] == made.flow_run.tasks[0].duration


async def test_concurrent_tasks_are_ordered_by_their_start() -> None:
    """Order is given at the start: a task that starts first and ends last is number 1."""
    first_runs, others_done = asyncio.Event(), asyncio.Event()

    @task
    async def long() -> None:
        first_runs.set()
        await others_done.wait()

    async with Flow[None]() as made:
        running = asyncio.create_task(long())
        await first_runs.wait()
        await asyncio.gather(*(add_later(n) for n in range(10)))
        others_done.set()
        await running
    tasks = made.flow_run.tasks
    assert [t.execution_order for t in tasks] == list(range(1, 12))
    assert tasks[0].task_name == "long"
    assert all(t.status is RunStatus.COMPLETED for t in tasks)
    assert tasks[0].end_time is not None
    assert all(t.end_time is not None and t.end_time <= tasks[0].end_time for t in tasks[1:])


def test_tasks_of_many_threads_are_all_recorded() -> None:
    """Calls from many threads at once are each recorded once, with orders and ids of their own."""
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait(30)
        for n in range(200):
            add(n)

    with Flow[None]() as made:
        threads = [threading.Thread(target=bind_context(work), daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    tasks = made.flow_run.tasks
    assert [t.execution_order for t in tasks] == list(range(1, 1601))
    assert len({t.task_id for t in tasks}) == 1600
    assert all(t.status is RunStatus.COMPLETED for t in tasks)
    assert made.durations().calls["add"].count == 1600


async def test_a_task_costs_the_same_however_many_there_are() -> None:
    """Ten thousand tasks of one gather are all recorded in a moment: none looks at the others."""
    async with Flow[None]() as made:
        began = time.perf_counter()
        found = await asyncio.gather(*(add_later(n, 0) for n in range(10_000)))
        assert time.perf_counter() - began < 5
    assert found == list(range(10_000))
    assert [t.execution_order for t in made.flow_run.tasks] == list(range(1, 10_001))


def test_a_task_function_serves_many_flows_at_once() -> None:
    """One task function, called in flows in several threads, records each call on the flow that runs it."""
    barrier, made = threading.Barrier(4), [Flow[int]() for _ in range(4)]

    def work(number: int) -> int:
        barrier.wait(30)
        return sum(add(number, 0) for _ in range(50))

    threads = [threading.Thread(target=each.setup(work, n).execute, daemon=True) for n, each in enumerate(made)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.return_value for each in made] == [0, 50, 100, 150]
    assert [{tuple(t.input_args) for t in each.flow_run.tasks} for each in made] == [{(n, 0)} for n in range(4)]


async def test_an_async_task_that_is_never_awaited_leaves_no_record() -> None:
    """An async task starts when it is awaited: a coroutine that is closed unawaited was no call."""
    async with Flow[None]() as made:
        coroutine = add_later(1)
        coroutine.close()
    assert made.flow_run.tasks == []


async def test_a_coroutine_made_outside_belongs_to_the_flow_that_awaits_it() -> None:
    """What counts is where an async task is awaited, not where it was called."""
    outside = add_later(1)
    async with Flow[None]() as made:
        assert await outside == 2
        inside = add_later(2)
    assert len(made.executed_tasks) == 1
    with pytest.raises(NoActiveFlowError):
        await inside


@flow
def nested_in_task() -> int:
    return add(1)


def test_a_flow_executed_in_a_task_is_a_nested_flow() -> None:
    """A task may execute flows: each has a record of its own, with the outer flow as parent."""

    @task
    def run_inner() -> Flow[int]:
        return nested_in_task().execute()

    with Flow[None]() as made:
        inner = run_inner()
    assert inner.flow_run.parent_flow_id == made.flow_id
    assert [t.task_name for t in made.flow_run.tasks] == ["run_inner"]
    assert [t.task_name for t in inner.flow_run.tasks] == ["add"]
