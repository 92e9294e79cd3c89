"""`map_tasks`: lazy, ordered or by completion, sync or async."""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flowscope import (
    DefinitionError,
    Flow,
    NoActiveFlowError,
    ProcessExecutor,
    RunStatus,
    ThreadExecutor,
    bind_context,
    map_tasks,
    submit,
    task,
    use_executor,
)
from support.executors.gate import Gate, pass_gate
from support.executors.mapping import TASKS, WAYS, Counting, hold_named, hold_named_async, run, take
from support.executors.methods import Counter
from support.executors.task_forms import PLACES
from support.executors.tasks import echo, echo_async
from support.executors.third_party import ThreadPerCall


@WAYS
@PLACES
@TASKS
def test_all_results_come(way: str, place: Any, mapped: Any) -> None:
    """Every item gives one result, in the order of the items or of their completion."""
    with Flow[None]() as made, use_executor(place):
        found = take(map_tasks(mapped, range(25), limit=4), way)
    assert (sorted(found) if "completed" in way else found) == list(range(25))
    assert [task.input_args for task in made.flow_run.tasks] == [[number] for number in range(25)]
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.COMPLETED}


@pytest.mark.slow
@WAYS
@TASKS
def test_a_result_costs_the_same_with_thousands_in_flight(way: str, mapped: Any) -> None:
    """Waiting for the next result does not look at all that are in flight."""
    began = time.perf_counter()
    with Flow[None]():
        assert sum(take(map_tasks(mapped, range(20_000), limit=20_000), way)) == sum(range(20_000))
    assert time.perf_counter() - began < 5


@WAYS
@TASKS
def test_nothing_gives_nothing(way: str, mapped: Any) -> None:
    """An empty iterable gives no results and leaves no record."""
    with Flow[None]() as made:
        assert take(map_tasks(mapped, []), way) == []
    assert made.flow_run.tasks == []


@WAYS
@TASKS
def test_nothing_is_taken_before_somebody_iterates(way: str, mapped: Any) -> None:
    """Making the map, and asking for an iterator, takes no item."""
    items = Counting()
    with Flow[None]() as made:
        results = map_tasks(mapped, items)
        chosen = results.as_completed() if "completed" in way else results
        if "aiter" in way:
            aiter(chosen)
        else:
            iter(chosen)
        assert items.taken == 0
    assert made.flow_run.tasks == []


@WAYS
@TASKS
@pytest.mark.parametrize("limit", [1, 2, 7])
def test_an_endless_iterable_is_advanced_by_the_limit(way: str, mapped: Any, limit: int) -> None:
    """No more than `limit` items are taken ahead of the reader, so that the iterable may be endless."""
    items = Counting()
    with Flow[None]() as made:
        results = map_tasks(mapped, items, limit=limit)
        found = take(results, way, 5)
        del results
    assert len(found) == 5
    assert 5 <= items.taken <= 5 + limit - 1
    if way in {"iter", "aiter"}:
        assert found == list(range(5))
    assert len(made.flow_run.tasks) == items.taken
    assert made.status is RunStatus.COMPLETED


@pytest.mark.parametrize(
    ("executor", "ahead"), [(ThreadExecutor(3), 6), ("asyncio", 100), (ThreadPerCall(), 8), (ProcessExecutor(1), 2)]
)
def test_the_default_limit(executor: Any, ahead: int, gate: Gate) -> None:
    """Without a limit, twice the executor's workers are kept in flight, and a hundred on asyncio."""
    items = Counting()
    with Flow[None](), use_executor(executor) as chosen:
        results = iter(map_tasks(echo, items))
        assert next(results) == 0
        assert items.taken == ahead
        assert next(results) == 1
        assert items.taken == ahead + 1
        del results
        chosen.close()


def test_a_slow_item_holds_back_only_its_place(gate: Gate) -> None:
    """In order, results wait for the first one, and no more than the limit is taken meanwhile."""
    taken: list[int] = []

    @task
    def first_waits(number: int) -> int:
        if number == 0:
            pass_gate(gate.address)
        return number

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    with Flow[None](), use_executor(ThreadPerCall()):
        completed = iter(map_tasks(first_waits, items(), limit=3).as_completed())
        found = [next(completed) for _ in range(9)]
        assert found == sorted(found)
        assert 0 not in found
        assert len(taken) == 10
        gate.wait_for()[0].let_go()
        assert list(completed) == [0]


@PLACES
@pytest.mark.parametrize("form", ["sync", "async"])
def test_completions_come_as_they_end(place: Any, form: str, gate: Gate) -> None:
    """`as_completed` gives the results in the order in which the tasks end."""
    held: Any = hold_named if form == "sync" else hold_named_async
    order: list[str] = []
    read = threading.Semaphore(0)
    with Flow[None](), use_executor(place):
        results = map_tasks(held, [(gate.address, "a"), (gate.address, "b")], limit=2)

        def collect() -> None:
            for name in results.as_completed():
                order.append(name)
                read.release()

        reader = threading.Thread(target=bind_context(collect))
        reader.start()
        visitors = {visitor.name: visitor for visitor in gate.wait_for(2)}
        for name in ("b", "a"):
            visitors[name].let_go()
            assert read.acquire(timeout=30)
        reader.join()
    assert order == ["b", "a"]


@PLACES
@WAYS
def test_maps_may_be_nested(place: Any, way: str) -> None:
    """A map over the results of a map works, and in a task of a map there may be another one."""
    with Flow[None]() as made, use_executor(place):
        inner = map_tasks(echo, range(10), limit=3)
        assert list(map_tasks(echo, inner, limit=2)) == list(range(10))
        sums = sorted(take(map_tasks(total_of, range(5), limit=2), way))
    assert sums == [0, 0, 1, 3, 6]
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.COMPLETED}
    assert len(made.flow_run.tasks) == 20 + 5 + 10


@task
def total_of(count: int) -> int:
    """Sum up by a map of its own."""
    return sum(map_tasks(echo, range(count)))


def test_a_map_may_be_iterated_over_again() -> None:
    """Each iteration over one map makes the calls again, if its iterable can be iterated over again."""
    with Flow[None]() as made:
        results = map_tasks(echo, [1, 2])
        assert [list(results), list(results), sorted(results.as_completed())] == [[1, 2]] * 3
    assert len(made.flow_run.tasks) == 6


def test_two_iterations_share_an_iterator() -> None:
    """Two readers of one map over an iterator get each item once."""
    with Flow[None]():
        results = map_tasks(echo, iter(range(6)), limit=1)
        first, second = iter(results), iter(results)
        found = [next(first), next(second), next(first), next(second), *first, *second]
    assert sorted(found) == list(range(6))


def test_methods_are_mapped() -> None:
    """A bound method is called with each item."""
    with Flow[None]():
        assert list(map_tasks(Counter(3).at, range(3))) == [1, 4, 7]


def test_none_and_falsy_items_are_items() -> None:
    """Items and results of any value are results."""
    values: list[Any] = [None, 0, "", (), False, StopIteration(), StopAsyncIteration()]
    with Flow[None]():
        assert list(map_tasks(echo, values)) == values
        assert len(list(map_tasks(echo, values).as_completed())) == len(values)


WRONG: list[Any] = [0, -1, "3", 1.5, True]


@pytest.mark.parametrize("limit", WRONG)
def test_a_wrong_limit_is_refused(limit: Any) -> None:
    """Less than one task in flight, or what is no whole number, is an error when the map is made."""
    with pytest.raises(DefinitionError, match=rf"limit is {limit!r}, wanted a whole number"):
        map_tasks(echo, [], limit=limit)


def test_a_map_needs_a_flow_when_it_is_read() -> None:
    """A map made before a flow is read within one; outside it raises, and cancels nothing of others."""
    results = map_tasks(echo, [1, 2])
    with Flow[None]() as made:
        assert list(results) == [1, 2]
    assert len(made.flow_run.tasks) == 2
    with pytest.raises(NoActiveFlowError):
        list(results)


def test_what_is_not_iterable_is_refused() -> None:
    """A thing that cannot be iterated over raises Python's own `TypeError`."""
    wrong: Any = 3
    with Flow[None](), pytest.raises(TypeError, match="not iterable"):
        list(map_tasks(echo, wrong))


def test_the_executor_is_that_of_the_reader() -> None:
    """Tasks are submitted where the iteration happens, to the executor that holds there."""
    with Flow[None]() as made:
        with use_executor("thread"):
            results = map_tasks(echo, [1, 2, 3], limit=1)
        with use_executor(ThreadPerCall()):
            list(results)
    assert {task.executor for task in made.flow_run.tasks} == {"thread per call"}


def test_a_long_map_stays_small() -> None:
    """Ten thousand items go through with a handful in flight at any time."""
    most = [0]
    lock = threading.Lock()
    running = [0]

    @task
    async def note(number: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        await asyncio.sleep(0)
        with lock:
            running[0] -= 1
        return number

    async def body() -> int:
        return sum([number async for number in map_tasks(note, range(10_000), limit=8)])

    made = run(body, awaits=True, add_task_to_self=False, log_to_memory=False)
    assert made.return_value == sum(range(10_000))
    assert most[0] <= 8


async def test_two_readers_of_one_iteration() -> None:
    """Two asyncio tasks that read one iteration get each result once."""

    async def read(results: Any) -> list[int]:
        return [number async for number in results]

    async with Flow[None]():
        for chosen in (map_tasks(echo_async, range(20), limit=4), map_tasks(echo, range(20), limit=4)):
            shared = aiter(chosen)
            first, second = await asyncio.gather(read(shared), read(shared))
            assert sorted(first + second) == list(range(20))
            shared = aiter(chosen.as_completed())
            first, second = await asyncio.gather(read(shared), read(shared))
            assert sorted(first + second) == list(range(20))


def test_threads_that_read_the_same_completions() -> None:
    """Threads that read one iteration in the order of completion get each result once."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with Flow[None]():
            shared = iter(map_tasks(echo, list(range(5_000)), limit=50).as_completed())
            with ThreadPoolExecutor(4) as pool:
                readers = [pool.submit(bind_context(lambda: list(shared))) for _ in range(4)]
                found = [number for reader in readers for number in reader.result()]
    finally:
        sys.setswitchinterval(interval)
    assert sorted(found) == list(range(5_000))


def test_a_submitted_call_may_read_a_map(gate: Gate) -> None:
    """A map may be iterated over in another thread than the one that made it."""
    with Flow[None]():
        results = iter(map_tasks(echo, range(6), limit=2))
        assert next(results) == 0
        found: list[int] = []

        def read() -> None:
            found.extend(results)

        thread = threading.Thread(target=bind_context(read))
        thread.start()
        thread.join()
        assert found == [1, 2, 3, 4, 5]
        assert submit(echo, 1).result() == 1
