"""Cancelling futures, and what is read from cancelled ones."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
    EventType,
    Flow,
    FlowConfig,
    ProcessExecutor,
    RunStatus,
    TaskFuture,
    ThreadExecutor,
    submit,
    task,
    use_executor,
)
from support.executors.gate import Gate
from support.executors.scenarios import wait_for
from support.executors.task_forms import FORMS, PLACES, Tasks
from support.executors.tasks import Crash, locate
from support.executors.third_party import ThreadPerCall
from support.executors.waiting_tasks import hold, hold_async


@FORMS
@pytest.mark.parametrize("kind", [ThreadExecutor, ProcessExecutor])
def test_a_waiting_call_is_cancelled(kind: Callable[[int], Any], tasks: Tasks, gate: Gate) -> None:
    """A call that is cancelled while it waits never starts, and its record says so; a second cancel is too late."""
    with kind(1) as executor, Flow[None]() as made, use_executor(executor):
        first = submit(tasks.hold, gate.address, "a")
        second = submit(tasks.hold, gate.address, "b")
        (visitor,) = gate.wait_for()
        assert second.cancel()
        assert (second.done(), second.status, second.cancel()) == (True, RunStatus.CANCELLED, False)
        with pytest.raises(asyncio.CancelledError):
            second.result()
        visitor.let_go()
        third = submit(tasks.hold, gate.address, "c")
        (visitor,) = gate.wait_for()
        assert visitor.name == "c"
        visitor.let_go()
        assert [first.result(), third.result()] == ["a", "c"]
    assert [(task.status, task.attempts) for task in made.flow_run.tasks] == [
        (RunStatus.COMPLETED, 1),
        (RunStatus.CANCELLED, 0),
        (RunStatus.COMPLETED, 1),
    ]
    assert all(task.end_time is not None and task.start_time <= task.end_time for task in made.flow_run.tasks)


@PLACES
@FORMS
async def test_a_cancelled_future_raises(place: Any, tasks: Tasks, gate: Gate) -> None:
    """A cancelled future raises both libraries' `CancelledError` to those who block, and asyncio's when awaited."""
    async with Flow[None]() as made:
        with use_executor(place):
            future = submit(tasks.hold, gate.address)
        await asyncio.to_thread(gate.wait_for)
        assert future.cancel()
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                await future
        with pytest.raises(concurrent.futures.CancelledError):
            future.result()
        with pytest.raises(asyncio.CancelledError):
            future.exception(0)
        assert asyncio.current_task() is not None
        assert (asyncio.current_task() or pytest.fail()).cancelling() == 0
    assert made.status is RunStatus.COMPLETED


@PLACES
@FORMS
def test_an_ended_call_cannot_be_cancelled(place: Any, tasks: Tasks) -> None:
    """Cancelling what has returned, or failed, does nothing and says so."""
    with Flow[None]() as made, use_executor(place):
        added, crashed = submit(tasks.add, 1), submit(tasks.crash, "boom")
        added.result()
        error = crashed.exception()
        assert not added.cancel()
        assert not crashed.cancel()
        assert (added.result(), crashed.exception()) == (11, error)
    assert [task.status for task in made.flow_run.tasks] == [RunStatus.COMPLETED, RunStatus.FAILED]


@PLACES
@FORMS
async def test_cancelling_the_await_cancels_the_task(place: Any, tasks: Tasks, gate: Gate) -> None:
    """When the asyncio task that awaits a future is cancelled, so is the submitted task."""
    async with Flow[None]() as made:
        with use_executor(place):
            future = submit(tasks.hold, gate.address)
        waiting = asyncio.ensure_future(wait_for(future))
        await asyncio.to_thread(gate.wait_for)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert waiting.cancelled()
        with pytest.raises(asyncio.CancelledError):
            await future
        assert future.status is RunStatus.CANCELLED
    assert made.status is RunStatus.COMPLETED


async def test_a_shielded_await_cancels_nothing(gate: Gate) -> None:
    """Under `asyncio.shield` the await may be given up, and the task goes on."""
    async with Flow[None]():
        future = submit(hold_async, gate.address, "a")
        waiting = asyncio.shield(asyncio.ensure_future(wait_for(future)))
        (visitor,) = await asyncio.to_thread(gate.wait_for)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        visitor.let_go()
        assert await future == "a"


def test_cancelling_from_many_threads_ends_once(gate: Gate) -> None:
    """Of many that cancel one task at the same time exactly one ends it, and it has one record."""
    ready = threading.Barrier(8)
    with Flow[None](flow_config=FlowConfig(capture_events=True)) as made, use_executor("thread"):
        future = submit(hold, gate.address)
        gate.wait_for()
        answers: list[bool] = []

        def cancel() -> None:
            ready.wait(20)
            answers.append(future.cancel())

        threads = [threading.Thread(target=cancel) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == [False] * 7 + [True]
    assert [event.event_type for event in made.flow_run.events].count(EventType.TASK_STOP) == 1


def test_cancelling_races_with_the_end() -> None:
    """A cancel that comes as the task ends either wins or is too late; answer, result and record agree."""
    with Flow[None]() as made, use_executor(ThreadPerCall()):
        outcomes: list[tuple[bool, TaskFuture[Any]]] = []
        for _ in range(300):
            future = submit(locate)
            outcomes.append((future.cancel(), future))
        for cancelled, future in outcomes:
            if cancelled:
                with pytest.raises(asyncio.CancelledError):
                    future.result()
            else:
                future.result()
    assert [task.status is RunStatus.CANCELLED for task in made.flow_run.tasks] == [one for one, _ in outcomes]


async def test_cancelling_races_with_the_end_in_a_loop() -> None:
    """The same in an event loop: what `cancel` answers is what becomes of the task."""

    @task
    async def brief(steps: int) -> int:
        for _ in range(steps):
            await asyncio.sleep(0)
        return steps

    async with Flow[None]() as made:
        outcomes: list[tuple[bool, TaskFuture[int]]] = []
        for steps in range(50):
            future = submit(brief, steps % 5)
            for _ in range(steps // 5):
                await asyncio.sleep(0)
            outcomes.append((future.cancel(), future))
        for cancelled, future in outcomes:
            if cancelled:
                with pytest.raises(asyncio.CancelledError):
                    await future
            else:
                await future
    assert [task.status is RunStatus.CANCELLED for task in made.flow_run.tasks] == [one for one, _ in outcomes]


async def test_a_task_that_handles_its_cancellation_is_completed() -> None:
    """An async task that catches its cancellation and returns has its value, whatever `cancel` had said."""
    started = asyncio.Event()

    @task
    async def stubborn() -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "cleaned up"
        return "not reached"

    async with Flow[None]() as made:
        future = submit(stubborn)
        await started.wait()
        assert future.cancel()
        assert await future == "cleaned up"
    assert made.flow_run.tasks[0].status is RunStatus.COMPLETED


async def test_a_task_that_fails_while_it_is_cancelled_has_failed() -> None:
    """An exception raised on the way out of a cancellation is the task's failure."""
    started = asyncio.Event()

    @task
    async def breaks() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise Crash("on the way out", 1)

    async with Flow[None]() as made:
        future = submit(breaks)
        await started.wait()
        assert future.cancel()
        with pytest.raises(Crash):
            await future
    assert made.flow_run.tasks[0].status is RunStatus.FAILED


async def test_an_async_task_is_cancelled_before_its_first_step() -> None:
    """An async task that is cancelled before the loop has run it never starts."""
    called: list[int] = []

    @task
    async def note() -> None:
        called.append(1)

    async with Flow[None]() as made:
        future = submit(note)
        assert future.status is RunStatus.PENDING
        assert future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
    assert called == []
    (task_run,) = made.flow_run.tasks
    assert (task_run.status, task_run.attempts) == (RunStatus.CANCELLED, 0)
