"""Direct calls of tasks that have an executor."""

import inspect
import os
import threading
from typing import Any

import pytest

from flowscope import (
    Flow,
    FlowConfig,
    RunStatus,
    TaskTimeoutError,
    ThreadExecutor,
    submit,
    task,
)
from support.executors.placed_tasks import (
    Place,
    call_others_there,
    call_others_there_async,
    crash_there,
    crash_there_async,
    executors_of,
    here,
    in_loop,
    in_loop_async,
    in_process,
    in_process_async,
    in_thread,
    in_thread_async,
    tolerated_there,
    waits_in_thread,
)
from support.executors.tasks import Crash

DIRECT: list[tuple[Any, str, bool]] = [
    (in_process, "process", False),
    (in_process_async, "process", False),
    (in_thread, "thread", True),
    (in_thread_async, "thread", True),
]


@pytest.mark.parametrize(("placed", "name", "stays"), DIRECT)
def test_a_direct_call_runs_where_the_task_says(placed: Any, name: str, stays: bool) -> None:
    """A direct call of a task with an executor runs there, blocks or is awaited, and is recorded as its own."""

    async def body_async() -> Place:
        found: Place = await placed()
        return found

    is_async = inspect.iscoroutinefunction(placed)
    made = Flow[Place]().setup(body_async if is_async else placed).execute()
    pid, thread = made.return_value
    assert (pid == os.getpid()) is stays
    assert thread != threading.current_thread().name or not stays
    (task,) = made.flow_run.tasks
    assert (task.executor, task.status, task.attempts) == (name, RunStatus.COMPLETED, 1)
    assert [(entry.message, entry.task_id) for entry in made.flow_run.logs if entry.source == "stdout"] == [
        ("here", task.task_id)
    ]


def test_a_direct_call_of_an_asyncio_task_is_inline() -> None:
    """`executor="asyncio"` says nothing about a direct call: it is awaited, or called, where it stands."""

    async def body() -> list[Place]:
        return [in_loop(), await in_loop_async()]

    made = Flow[list[Place]]().setup(body).execute()
    assert made.return_value == [here()] * 2
    assert executors_of(made) == ["inline"] * 2


@pytest.mark.parametrize("crashing", [crash_there, crash_there_async])
def test_a_direct_call_raises_what_the_task_raises(crashing: Any) -> None:
    """The exception of a direct call elsewhere is raised by the call, and fails a flow that lets it pass."""

    async def body_async() -> None:
        await crashing("boom")

    def body() -> None:
        crashing("boom")

    chosen = body_async if inspect.iscoroutinefunction(crashing) else body
    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(chosen).execute()
    assert isinstance(made.flow_error, Crash)
    assert made.flow_run.error is not None
    assert "in deep" in made.flow_run.error.traceback
    assert [task.status for task in made.flow_run.tasks] == [RunStatus.FAILED]


def test_a_direct_call_that_is_handled_fails_nobody() -> None:
    """A failure of a direct call that its caller handles, or that is tolerated, leaves the flow alone."""

    def body() -> None:
        with pytest.raises(Crash):
            crash_there("boom")
        assert tolerated_there("boom") is None

    made = Flow[None]().setup(body).execute()
    assert made.status is RunStatus.COMPLETED
    assert [task.attempts for task in made.flow_run.tasks] == [1, 2]


@pytest.mark.parametrize("calling", [call_others_there, call_others_there_async])
def test_in_a_worker_process_tasks_stay_there(calling: Any) -> None:
    """Calls, and submits, that a worker makes of tasks that want a process run in that very process."""
    with Flow[None]() as made:
        places = submit(calling).result()
    assert len({pid for pid, _ in places}) == 1
    assert places[0][0] != os.getpid()
    record = made.flow_run
    outer, *others = record.tasks
    assert len(others) == len(places)
    assert {task.parent_task_id for task in others} == {outer.task_id}
    assert {task.status for task in record.tasks} == {RunStatus.COMPLETED}


def test_a_direct_call_keeps_its_kind_and_signature() -> None:
    """A task with an executor is still the function that it was, to `inspect`."""
    assert not inspect.iscoroutinefunction(in_process)
    assert inspect.iscoroutinefunction(in_process_async)
    assert in_process.__name__ == "in_process"


def test_a_direct_call_elsewhere_has_its_deadline() -> None:
    """A call in a pool thread that passes its deadline is left behind."""
    release = threading.Event()
    with Flow[None]() as made:
        with pytest.raises(TaskTimeoutError):
            waits_in_thread(release)
        assert made.flow_run.tasks[0].abandoned_thread
        release.set()
    assert [(task.status, task.executor) for task in made.flow_run.tasks] == [(RunStatus.TIMED_OUT, "thread")]


def test_recursive_direct_calls_do_not_starve_their_pool() -> None:
    """A task of a pool with one thread that calls itself directly runs in that thread."""
    with ThreadExecutor(1) as single:

        @task(executor=single)
        def count_down(number: int) -> int:
            return count_down(number - 1) + 1 if number else 0

        with Flow[None]() as made:
            assert count_down(10) == 10
    assert executors_of(made) == ["thread"] * 11
