"""Cancelling at every moment of a call: nobody else is hurt, and answer, outcome and record agree."""

import asyncio
import itertools
import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowscope import (
    AsyncioExecutor,
    EventType,
    Executor,
    Flow,
    FlowConfig,
    ProcessExecutor,
    RunStatus,
    TaskFuture,
    ThreadExecutor,
    map_tasks,
    submit,
    task,
    use_executor,
)
from support.executors.recording_tasks import insist, insist_async, nest
from support.executors.tasks import echo, echo_async
from support.executors.third_party import ThreadPerCall

pytestmark = pytest.mark.slow

EXECUTORS: dict[str, Callable[[], Executor]] = {
    "asyncio": AsyncioExecutor,
    "thread": lambda: ThreadExecutor(2),
    "third party": ThreadPerCall,
    "process": lambda: ProcessExecutor(1),
}
EVERYWHERE = pytest.mark.parametrize("make", EXECUTORS.values(), ids=EXECUTORS)


@pytest.fixture(autouse=True)
def _impatient_threads() -> Iterator[None]:
    """Let threads take turns as often as they can, so that every moment comes up."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def spin(rounds: int) -> None:
    """Let so much time pass, without giving it away."""
    for _ in itertools.repeat(None, rounds):
        pass


def outcome_of(future: TaskFuture[Any]) -> RunStatus:
    """How a future has ended, by what it raises."""
    try:
        future.result(30)
    except asyncio.CancelledError:
        return RunStatus.CANCELLED
    return RunStatus.COMPLETED


@EVERYWHERE
@pytest.mark.parametrize("mapped", [echo, echo_async], ids=["sync", "async"])
def test_a_late_cancel_hurts_no_other_task(make: Callable[[], Executor], mapped: Any) -> None:
    """A call that is cancelled about when it ends leaves the next one alone, in the same worker too."""
    dice = random.Random(7)
    rounds = 30 if make is EXECUTORS["process"] else 300
    with make() as executor, Flow[None](flow_config=FlowConfig(capture_events=True)) as made, use_executor(executor):
        submit(mapped, 0).result(30)
        outcomes: list[tuple[bool, RunStatus, RunStatus]] = []
        for number in range(rounds):
            first = submit(mapped, number)
            spin(dice.randrange(60_000))
            cancelled = first.cancel()
            assert submit(mapped, -number).result(30) == -number
            outcomes.append((cancelled, outcome_of(first), first.status))
    for cancelled, ended, status in outcomes:
        assert ended is status
        assert cancelled or ended is RunStatus.COMPLETED
    record = made.flow_run
    assert [task.status for task in record.tasks[1::2]] == [ended for _, ended, _ in outcomes]
    stops = [event.event_data.task_run_id for event in record.events if event.event_type is EventType.TASK_STOP]
    starts = [event.event_data.task_run_id for event in record.events if event.event_type is EventType.TASK_START]
    assert sorted(map(str, stops)) == sorted(map(str, starts)) == sorted(task.task_id for task in record.tasks)


@EVERYWHERE
@pytest.mark.parametrize("mapped", [insist, insist_async], ids=["sync", "async"])
def test_a_cancel_between_attempts(make: Callable[[], Executor], mapped: Any) -> None:
    """A call that is cancelled while it is tried again ends as cancelled, or as what its attempts came to."""
    dice = random.Random(7)
    rounds = 20 if make is EXECUTORS["process"] else 200
    with make() as executor, Flow[None]() as made, use_executor(executor):
        assert submit(mapped, 0).result(30) == 1
        outcomes: list[RunStatus] = []
        for _ in range(rounds):
            future = submit(mapped, 2)
            spin(dice.randrange(90_000))
            future.cancel()
            outcomes.append(outcome_of(future))
        assert submit(mapped, 0).result(30) == 1
    record = made.flow_run
    assert [task.status for task in record.tasks[1:-1]] == outcomes
    assert {task.attempts for task in record.tasks if task.status is RunStatus.COMPLETED} <= {1, 3}
    assert all(task.end_time is not None for task in record.tasks)


def test_cancelling_a_task_with_nested_ones() -> None:
    """Whatever moment a worker is killed at, the nested tasks it has told of have an end."""
    dice = random.Random(7)
    with ProcessExecutor(1) as executor, Flow[None]() as made, use_executor(executor):
        for number in range(40):
            future = submit(nest, 20)
            if number % 4:
                spin(dice.randrange(100_000))
                future.cancel()
            outcome_of(future)
    record = made.flow_run
    parents = {task.task_id: task for task in record.tasks if task.parent_task_id is None}
    for one in record.tasks:
        assert one.end_time is not None
        if one.parent_task_id is not None:
            assert one.parent_task_id in parents
            ended = parents[one.parent_task_id].status
            assert one.status is RunStatus.COMPLETED or ended is RunStatus.CANCELLED
    assert [task.status for task in parents.values()][::4] == [RunStatus.COMPLETED] * 10


@pytest.mark.parametrize("size", [1, 3])
def test_cancelling_a_queue_loses_no_worker(size: int) -> None:
    """After many rounds of filling and cancelling, a pool still has all its workers."""
    meeting = threading.Barrier(size)

    @task
    def meet() -> int:
        return meeting.wait(20)

    with ThreadExecutor(size) as executor, Flow[None]() as made, use_executor(executor):
        for _ in range(100):
            futures = [submit(echo, number) for number in range(10)]
            for future in futures:
                future.cancel()
        assert sorted(future.result() for future in [submit(meet) for _ in range(size)]) == list(range(size))
    assert made.status is RunStatus.COMPLETED


def test_threads_that_are_left_behind_are_replaced() -> None:
    """A pool whose threads were all left behind goes on at its full size, and they take no more work."""
    release = threading.Event()
    started = threading.Semaphore(0)
    meeting = threading.Barrier(2)

    @task
    def stuck() -> int:
        started.release()
        release.wait(30)
        return threading.get_ident()

    @task
    def meet() -> int:
        meeting.wait(20)
        return threading.get_ident()

    with ThreadExecutor(2) as executor, Flow[None]() as made, use_executor(executor):
        for _ in range(5):
            futures = [submit(stuck) for _ in range(2)]
            assert started.acquire(timeout=20)
            assert started.acquire(timeout=20)
            for future in futures:
                assert future.cancel()
            idents = {future.result() for future in [submit(meet) for _ in range(2)]}
            assert len(idents) == 2
        record = made.flow_run
        assert sum(task.abandoned_thread is not None for task in record.tasks) == 10
        release.set()
    assert made.status is RunStatus.COMPLETED


def test_early_ends_of_maps_hurt_nobody() -> None:
    """Maps that are left early, again and again, in worker processes, harm no task that comes after them."""
    with ProcessExecutor(2) as executor, Flow[None]() as made, use_executor(executor):
        for number in range(15):
            for item in map_tasks(echo, itertools.count(number), limit=4):
                assert item == number
                break
            assert submit(echo, number).result(30) == number
    assert made.status is RunStatus.COMPLETED
    assert {task.status for task in made.flow_run.tasks} <= {RunStatus.COMPLETED, RunStatus.CANCELLED}


def test_cancelling_while_the_executor_is_closed() -> None:
    """Closing waits for what runs; what is cancelled meanwhile does not hold it up."""
    release = threading.Event()
    started = threading.Event()

    @task
    def stuck() -> None:
        started.set()
        release.wait(30)

    executor = ThreadExecutor(1)
    with Flow[None]() as made, use_executor(executor):
        futures = [submit(stuck) for _ in range(3)]
        assert started.wait(20)
        closing = threading.Thread(target=executor.close)
        closing.start()
        for future in futures:
            assert future.cancel()
        assert submit(echo, 1).result(30) == 1
        release.set()
        closing.join(30)
        assert not closing.is_alive()
        executor.close()
    assert [task.status for task in made.flow_run.tasks] == [RunStatus.CANCELLED] * 3 + [RunStatus.COMPLETED]
