"""How iterations of `map_tasks` end: by failures, early, by cancellation."""

import asyncio
import gc
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from flowscope import (
    Flow,
    NoActiveFlowError,
    RunStatus,
    map_tasks,
    task,
    use_executor,
)
from support.executors.gate import Gate
from support.executors.mapping import WAYS, Counting, hold_named, hold_named_async, run, take
from support.executors.task_forms import PLACES
from support.executors.tasks import Crash, echo, echo_async
from support.executors.third_party import ThreadPerCall


@task
def even(number: int) -> int:
    """Refuse odd numbers."""
    if number % 2:
        raise Crash("odd", number)
    return number


@task
async def even_async(number: int) -> int:
    """Refuse odd numbers."""
    if number % 2:
        raise Crash("odd", number)
    return number


@task(raise_on_error=False)
def tolerant_even(number: int) -> int:
    """Refuse odd numbers, without much ado."""
    if number % 2:
        raise Crash("odd", number)
    return number


@WAYS
@PLACES
@pytest.mark.parametrize("mapped", [even, even_async], ids=["sync", "async"])
def test_a_failing_item_raises_where_it_is_due(way: str, place: Any, mapped: Any) -> None:
    """The results before the failing one come, then its exception; what is in flight is cancelled, and no failure."""
    items = Counting(iter([0, 2, 4, 5, 6, 8, *itertools.repeat(10, 20)]))
    with Flow[None]() as made, use_executor(place):
        results = map_tasks(mapped, items, limit=3)
        chosen = results.as_completed() if "completed" in way else results
        found: list[int] = []

        async def collect() -> None:
            async for item in chosen:
                found.append(item)

        with pytest.raises(Crash) as caught:
            if "aiter" in way:
                asyncio.run(collect())
            else:
                found.extend(chosen)
        assert caught.value.code == 5
    if "completed" not in way:
        assert found == [0, 2, 4]
        assert items.taken <= 4 + 2
    assert made.status is RunStatus.COMPLETED
    kinds = [task.status for task in made.flow_run.tasks]
    assert kinds.count(RunStatus.FAILED) == 1
    assert set(kinds) <= {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}
    assert all(task.end_time is not None for task in made.flow_run.tasks)


@PLACES
def test_several_failing_items_are_one_failure(place: Any) -> None:
    """Only the first failure is raised; those in flight fail nobody, whether they had ended or not."""

    def body() -> str:
        with pytest.raises(Crash) as caught:
            list(map_tasks(even, [1, 3, 5, 7], limit=4))
        assert caught.value.code == 1
        return "went on"

    with use_executor(place):
        made = run(body)
    assert made.return_value == "went on"


def test_an_exhausted_iterator_stays_exhausted() -> None:
    """After its end, a failure, or a `close`, an iterator gives nothing more and takes nothing more."""
    with Flow[None]():
        items = Counting(iter([1, 2]))
        results = iter(map_tasks(echo, items))
        assert list(results) == [1, 2]
        assert list(results) == []
        failing = Counting(iter([1, 2, 3, 4, 5, 6, 7]))
        crashing = iter(map_tasks(even, failing, limit=2))
        with pytest.raises(Crash):
            next(crashing)
        taken = failing.taken
        assert list(crashing) == []
        assert failing.taken == taken


def test_a_tolerated_item_is_none() -> None:
    """An item whose task fails with `raise_on_error=False` gives None, and the others come."""
    with Flow[None]() as made:
        assert list(map_tasks(tolerant_even, range(4))) == [0, None, 2, None]
    assert made.status is RunStatus.COMPLETED


@WAYS
@pytest.mark.parametrize("limit", [1, 3, None])
def test_a_failing_iterable_raises(way: str, limit: int | None) -> None:
    """What the iterable itself raises comes out as it is, and what is in flight is cancelled."""
    broken = LookupError("no more items")

    def items() -> Iterator[int]:
        yield from (0, 2)
        raise broken

    with Flow[None]() as made, pytest.raises(LookupError) as caught:
        take(map_tasks(echo, items(), limit=limit), way)
    assert caught.value is broken
    assert {task.status for task in made.flow_run.tasks} <= {RunStatus.COMPLETED, RunStatus.CANCELLED}


@WAYS
@PLACES
def test_an_early_break_cancels_what_is_in_flight(way: str, place: Any, gate: Gate) -> None:
    """When the reader stops, tasks in flight are cancelled, and the flow is completed."""

    def items() -> Iterator[tuple[Any, str]]:
        yield gate.address, "a"
        while True:
            yield gate.address, "b"

    async def read() -> str:
        results = map_tasks(hold_named_async, items(), limit=3)
        async for item in results.as_completed() if "completed" in way else results:
            return item
        pytest.fail("nothing came")

    def read_sync() -> str:
        results = map_tasks(hold_named, items(), limit=3)
        for item in results.as_completed() if "completed" in way else results:
            return item
        pytest.fail("nothing came")

    def open_for_a() -> None:
        seen = ""
        while seen != "a":
            (visitor,) = gate.wait_for()
            seen = visitor.name
            if seen == "a":
                visitor.let_go()

    opener = threading.Thread(target=open_for_a)
    opener.start()
    with use_executor(ThreadPerCall() if place == "thread" else place):
        made = run(read if "aiter" in way else read_sync, awaits="aiter" in way)
    opener.join()
    assert made.return_value == "a"
    kinds = [task.status for task in made.flow_run.tasks]
    assert kinds[0] is RunStatus.COMPLETED
    assert set(kinds[1:]) <= {RunStatus.CANCELLED}


def test_a_dropped_iterator_cancels() -> None:
    """An iterator that is garbage cancels what is in flight."""
    started = threading.Event()
    release = threading.Event()

    @task
    def waits(number: int) -> int:
        if number:
            started.set()
            release.wait(30)
        return number

    with Flow[None]() as made, use_executor(ThreadPerCall()):
        results = iter(map_tasks(waits, itertools.count(), limit=3))
        assert next(results) == 0
        started.wait(20)
        del results
        gc.collect()
        kinds = [task.status for task in made.flow_run.tasks]
        release.set()
    assert kinds == [RunStatus.COMPLETED, RunStatus.CANCELLED, RunStatus.CANCELLED]


async def test_cancelling_the_reader_cancels_the_tasks() -> None:
    """An asyncio task that is cancelled while it iterates leaves nothing in flight."""
    started = asyncio.Event()

    @task
    async def waits(number: int) -> None:
        started.set()
        await asyncio.Event().wait()

    async def read(way: str) -> None:
        results = map_tasks(waits, itertools.count(), limit=3)
        async for _ in results.as_completed() if way == "completed" else results:
            pytest.fail("nothing can come")

    for way in ("ordered", "completed"):
        started.clear()
        async with Flow[None]() as made:
            reading = asyncio.ensure_future(read(way))
            await started.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            gc.collect()
        assert [task.status for task in made.flow_run.tasks] == [RunStatus.CANCELLED] * 3
        assert made.status is RunStatus.COMPLETED


def test_a_failing_flow_cancels_a_map() -> None:
    """A flow that fails amid an iteration cancels what is in flight."""
    release = threading.Event()

    @task
    def waits(number: int) -> int:
        if number:
            release.wait(30)
        return number

    kept: list[Any] = []

    def body() -> None:
        kept.append(iter(map_tasks(waits, itertools.count(), limit=3)))
        next(kept[0])
        raise LookupError

    with use_executor(ThreadPerCall()):
        made = run(body)
    release.set()
    assert isinstance(made.flow_error, LookupError)
    assert [task.status for task in made.flow_run.tasks] == [RunStatus.COMPLETED, *[RunStatus.CANCELLED] * 2]
    with pytest.raises((NoActiveFlowError, asyncio.CancelledError)):
        next(kept[0])


def test_reading_a_map_of_the_own_loop_without_await_is_refused() -> None:
    """A sync `for` over async tasks in the thread of their loop raises, and leaves nothing in flight."""

    async def body() -> None:
        for results in (map_tasks(echo_async, [1, 2]), map_tasks(echo_async, [1, 2]).as_completed()):
            with pytest.raises(RuntimeError, match="async for"):
                next(iter(results))

    made = run(body, awaits=True)
    assert made.status is RunStatus.COMPLETED
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.CANCELLED}


@task
def first_of(items: list[int]) -> int:
    """It slips: of nothing there is no first."""
    return next(iter(items))


@task
async def first_of_async(items: list[int]) -> int:
    """It slips: of nothing there is no first."""
    if not items:
        raise StopAsyncIteration
    return items[0]


@WAYS
@pytest.mark.parametrize("mapped", [first_of, first_of_async], ids=["sync", "async"])
def test_a_stop_iteration_of_a_task_does_not_end_the_iteration(way: str, mapped: Any) -> None:
    """A task that raises what would end an iteration has failed like any, and no result is lost silently."""
    with Flow[None]() as made, use_executor("thread"):
        with pytest.raises((RuntimeError, StopAsyncIteration)):
            take(map_tasks(mapped, [[1], [], [3]], limit=1), way)
    assert made.flow_run.tasks[1].status is RunStatus.FAILED
