"""How long a failed attempt is followed by nothing."""

import asyncio
from collections.abc import Callable
from math import isclose

import pytest

from flowscope import INJECTED, EventType, Flow, FlowEvent, RunStatus, Task, task


def failing(times: int) -> Callable[[], str]:
    """A function that raises so many times before it returns."""
    left = iter(range(times))

    def work() -> str:
        for n in left:
            raise ValueError(f"failure {n}")
        return "done"

    return work


class Watched:
    """A flow that keeps what is told of its tasks."""

    def __init__(self) -> None:
        self.flow = Flow[None]()
        self.events: list[FlowEvent] = []
        self.flow.add_listener(self.events.append, EventType.TASK_START, EventType.TASK_RETRY, EventType.TASK_STOP)

    @property
    def kinds(self) -> list[str]:
        """What happened."""
        return [e.event_type.value for e in self.events]

    @property
    def delays(self) -> list[float]:
        """The announced waits before extra attempts, in seconds."""
        return [e.event_data.data["delay"] for e in self.events if e.event_type is EventType.TASK_RETRY]


def test_the_delay_grows_by_the_backoff() -> None:
    """The delay before extra attempt n is `retry_delay * retry_backoff ** (n - 1)`."""
    watched = Watched()
    with watched.flow as made:
        task(retries=4, retry_delay=0.001, retry_backoff=2.0)(failing(4))()
    assert all(map(isclose, watched.delays, [0.001, 0.002, 0.004, 0.008]))
    assert len(watched.delays) == 4
    assert made.flow_run.tasks[0].duration >= 0.015


@pytest.mark.parametrize(
    ("backoff", "expected"), [(1.0, [0.002] * 3), (0.5, [0.002, 0.001, 0.0005]), (0, [0.002, 0, 0])]
)
async def test_the_delay_may_stay_or_shrink(backoff: float, expected: list[float]) -> None:
    """A backoff of 1 keeps the delay, the default; a smaller one shortens it; async tasks wait alike."""
    watched = Watched()
    work = failing(3)

    @task(retries=3, retry_delay=0.002, retry_backoff=backoff)
    async def later() -> str:
        return work()

    async with watched.flow:
        assert await later() == "done"
    assert all(map(isclose, watched.delays, expected))
    assert len(watched.delays) == 3


def test_jitter_adds_up_to_its_share() -> None:
    """With `retry_jitter` each delay is the plain one plus, at random, up to that share of itself."""
    watched = Watched()
    with watched.flow:
        task(retries=200, retry_delay=0.00001, retry_jitter=0.5)(failing(200))()
    assert len(watched.delays) == 200
    assert all(0.00001 <= delay <= 0.000015 for delay in watched.delays)
    assert len(set(watched.delays)) > 1


def test_there_is_no_wait_after_the_last_attempt() -> None:
    """The delay that would follow the last attempt, here an hour, is not waited for."""
    watched = Watched()
    with watched.flow:
        tried = task(retries=1, retry_delay=0.001, retry_backoff=3_600_000.0, raise_on_error=False)(failing(9))
        assert tried() is None
    assert watched.delays == [0.001]


def test_without_retries_nothing_is_waited_for() -> None:
    """A delay without retries is never used."""
    watched = Watched()
    with pytest.raises(ValueError), watched.flow:
        task(retry_delay=3600.0)(failing(1))()
    assert watched.kinds == ["task_start", "task_stop"]


async def test_the_wait_of_an_async_task_can_be_cancelled() -> None:
    """A cancellation during the wait between attempts ends the call at once, as cancelled."""
    waiting = asyncio.Event()

    @task(retries=1, retry_delay=3600.0)
    async def fails() -> None:
        raise ValueError("first")

    made = Flow[None]()
    made.add_listener(lambda _: waiting.set(), EventType.TASK_RETRY)

    async def work() -> None:
        async with made:
            await fails()

    working = asyncio.create_task(work())
    await waiting.wait()
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert made.flow_run.tasks[0].status is RunStatus.CANCELLED


async def test_others_go_on_while_an_async_task_waits() -> None:
    """The wait between attempts does not hold the event loop."""
    order: list[str] = []
    waiting = asyncio.Event()

    @task(retries=1, retry_delay=0.02)
    async def shaky(this_task: Task = INJECTED) -> None:
        order.append(f"attempt {this_task.attempt}")
        if this_task.attempt == 1:
            raise ValueError

    @task
    async def other() -> None:
        await waiting.wait()
        order.append("other")

    made = Flow[None]()
    made.add_listener(lambda _: waiting.set(), EventType.TASK_RETRY)
    async with made:
        await asyncio.gather(shaky(), other())
    assert order == ["attempt 1", "other", "attempt 2"]


def test_a_delay_that_outgrows_all_numbers_does_not_change_the_error() -> None:
    """With hundreds of retries the backoff may overflow; the error of the call is still that of its last attempt."""
    attempts: list[int] = []

    @task(retries=400, retry_delay=0.0, retry_backoff=10.0)
    def fails() -> None:
        attempts.append(1)
        raise ValueError(f"attempt {len(attempts)}")

    made = Flow[None]()
    with pytest.raises(ValueError, match="attempt 401"), made:
        fails()
    assert [(t.status, t.attempts) for t in made.flow_run.tasks] == [(RunStatus.FAILED, 401)]
