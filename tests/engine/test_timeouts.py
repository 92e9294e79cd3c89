"""An attempt that passes its deadline is ended, or left behind."""

import asyncio
import pickle
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    EventType,
    Flow,
    FlowEvent,
    FlowscopeError,
    Inject,
    RunStatus,
    Task,
    TaskTimeoutError,
    current_flow_or_none,
    current_task,
    task,
)


async def test_an_async_task_is_cancelled_at_its_deadline() -> None:
    """A late async task is cancelled where it awaits, and the caller gets a `TaskTimeoutError`."""
    seen: list[BaseException] = []

    @task(timeout=0.01)
    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(error)
            raise

    made = Flow[None]()
    with pytest.raises(TaskTimeoutError, match="slow") as caught:
        async with made:
            await slow()
    error = caught.value
    assert isinstance(error, TimeoutError)
    assert isinstance(error, FlowscopeError)
    assert (error.task_name, error.timeout) == ("slow", 0.01)
    assert len(seen) == 1
    record = made.flow_run.tasks[0]
    assert (record.status, record.abandoned_thread) == (RunStatus.TIMED_OUT, None)
    assert record.error is not None
    assert record.error.type == "TaskTimeoutError"
    assert record.duration >= 0.01
    assert made.status is RunStatus.FAILED
    assert len(error.__notes__) == 1


@pytest.mark.parametrize("timeout", [None, 30.0])
async def test_a_timeout_error_of_the_users_own_is_an_ordinary_failure(timeout: float | None) -> None:
    """A `TimeoutError` that the function raises is no timeout of the task: it is the very object, status `failed`."""
    own, inner = TimeoutError("the server's"), asyncio.Event()

    @task(timeout=timeout)
    def sync_one() -> None:
        raise own

    @task(timeout=timeout)
    async def async_one() -> None:
        await asyncio.sleep(0)
        raise own

    @task(timeout=timeout)
    async def waiting() -> None:
        async with asyncio.timeout(0.001):
            await inner.wait()

    async with Flow[None]() as made:
        for call in (sync_one, async_one):
            with pytest.raises(TimeoutError) as caught:
                result: Any = call()
                await result
            assert caught.value is own
        with pytest.raises(TimeoutError) as timed:
            await waiting()
        assert not isinstance(timed.value, TaskTimeoutError)
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.FAILED] * 3


async def test_the_remaining_time_can_be_asked_for() -> None:
    """`remaining` is the time to the deadline of this attempt, shrinking, at least 0.0; None without a timeout."""
    seen: list[float | None] = []

    @task(timeout=30)
    def timed(this_task: Task = INJECTED) -> None:
        seen.extend([this_task.remaining, this_task.remaining])

    @task(timeout=30)
    async def timed_later() -> None:
        seen.append(current_task().remaining)

    @task
    def free() -> None:
        seen.append(current_task().remaining)

    async with Flow[None]():
        timed()
        await timed_later()
        free()
    first, second, third, fourth = seen
    assert first is not None
    assert second is not None
    assert third is not None
    assert 20 < second <= first <= 30
    assert 20 < third <= 30
    assert fourth is None


async def test_each_attempt_has_the_whole_time() -> None:
    """The deadline is per attempt, from the moment the attempt starts."""
    remaining: list[float | None] = []

    @task(timeout=30, retries=2)
    async def shaky(this_task: Task = INJECTED) -> None:
        remaining.append(this_task.remaining)
        if this_task.attempt < 3:
            raise ValueError

    async with Flow[None]():
        await shaky()
    assert all(left is not None and left > 29 for left in remaining)


async def test_a_tolerated_timeout_gives_none() -> None:
    """With `raise_on_error=False` a timeout is logged, recorded as `timed_out`, and gives None."""
    release = threading.Event()

    @task(timeout=0.01, raise_on_error=False)
    def slow() -> int:
        release.wait(30)
        return 1

    @task(timeout=0.01, raise_on_error=False)
    async def slow_later() -> int:
        await asyncio.Event().wait()
        return 1

    events: list[FlowEvent] = []
    made = Flow[None]()
    made.add_listener(events.append, EventType.TASK_STOP, EventType.FLOW_STOP)
    async with made:
        assert slow() is None
        assert await slow_later() is None
    release.set()
    assert made.succeeded
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.TIMED_OUT] * 2
    stops = [e.event_data.data for e in events if e.event_type is EventType.TASK_STOP]
    assert [stop["status"] for stop in stops] == [RunStatus.TIMED_OUT] * 2
    assert events[-1].event_data.data["tasks"] == {"total": 2, "failed": 2}
    assert [e.level for e in made.flow_run.logs] == ["ERROR"] * 2


async def test_providers_see_the_timeout() -> None:
    """A provider of a timed-out call is closed with the `TaskTimeoutError` raised at its `yield`."""
    seen: list[BaseException] = []

    def watch() -> Iterator[int]:
        try:
            yield 1
        except BaseException as error:
            seen.append(error)
            raise

    async def watch_later() -> AsyncIterator[int]:
        try:
            yield 1
        except BaseException as error:
            seen.append(error)
            raise

    @task(timeout=0.01, raise_on_error=False)
    async def slow(a: int = Inject(watch), b: int = Inject(watch_later)) -> None:
        await asyncio.Event().wait()

    async with Flow[None]():
        await slow()
    assert [type(error) for error in seen] == [TaskTimeoutError] * 2


async def test_many_timeouts_at_once() -> None:
    """Many tasks with deadlines run at once; the late ones time out, and the others are untouched."""

    @task(timeout=0.05, raise_on_error=False)
    async def maybe(late: bool) -> str:
        if late:
            await asyncio.Event().wait()
        return "in time"

    async with Flow[None]() as made:
        values = await asyncio.gather(*(maybe(n % 2 == 0) for n in range(100)))
    assert values == [None, "in time"] * 50
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.TIMED_OUT, RunStatus.COMPLETED] * 50
    assert current_flow_or_none() is None


def test_the_error_pickles() -> None:
    """A `TaskTimeoutError` comes back from a pickle with its text and attributes."""
    copy = pickle.loads(pickle.dumps(TaskTimeoutError("slow", 1.5)))
    assert (copy.task_name, copy.timeout, str(copy)) == ("slow", 1.5, str(TaskTimeoutError("slow", 1.5)))
