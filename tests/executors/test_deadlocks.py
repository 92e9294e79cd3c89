"""Waiting inside a pool for what waits for that pool never stops everything."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
    AsyncioExecutor,
    Executor,
    Flow,
    ProcessExecutor,
    RunStatus,
    ThreadExecutor,
    bind_context,
    flow,
    submit,
    task,
    use_executor,
)
from support.executors.nesting_tasks import (
    alternating,
    alternating_async,
    deep,
    deep_async,
    mapped,
    mapped_async,
    mapped_completed,
    mapped_completed_async,
    mapped_sync_async,
    unclosed,
    wide,
    wide_async,
)
from support.executors.tasks import add, add_async

pytestmark = pytest.mark.slow

SIZES = pytest.mark.parametrize("size", [1, 2])


EXECUTORS: dict[str, Callable[[int], Executor]] = {
    "thread": ThreadExecutor,
    "asyncio": lambda _: AsyncioExecutor(),
    "process": ProcessExecutor,
}


EVERYWHERE = pytest.mark.parametrize("make", EXECUTORS.values(), ids=EXECUTORS)


NESTING: dict[Any, int] = {
    deep: 3,
    deep_async: 3,
    alternating: 3,
    alternating_async: 3,
    wide: 27,
    wide_async: 27,
    mapped: 27,
    mapped_completed: 27,
    mapped_async: 27,
    mapped_completed_async: 27,
    mapped_sync_async: 27,
}


@SIZES
@EVERYWHERE
@pytest.mark.parametrize("nesting", NESTING, ids=lambda nesting: nesting.__name__)
def test_nested_submits_three_deep(make: Callable[[int], Executor], nesting: Any, size: int) -> None:
    """Tasks that submit to their own pool and wait, three levels deep, end in a pool of one or two workers."""
    with unclosed(make(size)) as executor, Flow[None]() as made, use_executor(executor):
        assert submit(nesting, 3).result() == NESTING[nesting]
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.COMPLETED}
    assert len(made.flow_run.tasks) == (4 if NESTING[nesting] == 3 else 40)


@SIZES
@EVERYWHERE
@pytest.mark.parametrize("nesting", NESTING, ids=lambda nesting: nesting.__name__)
async def test_nested_submits_of_an_async_flow(make: Callable[[int], Executor], nesting: Any, size: int) -> None:
    """The same, several at once, from an async flow."""
    async with unclosed(make(size)) as executor, Flow[None]() as made:
        with use_executor(executor):
            found = await asyncio.gather(*(submit(nesting, 2) for _ in range(4)))
    assert found == [2 if NESTING[nesting] == 3 else 9] * 4
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.COMPLETED}


@SIZES
def test_many_parents_wait_at_once(size: int) -> None:
    """More waiting parents than threads: all end, each with its own values."""
    with unclosed(ThreadExecutor(size)) as executor, Flow[None]() as made, use_executor(executor):
        sync, other = [submit(deep, 5) for _ in range(20)], [submit(deep_async, 5) for _ in range(20)]
        assert [future.result() for future in (*sync, *other)] == [5] * 40
    assert len(made.flow_run.tasks) == 40 * 6


@SIZES
@pytest.mark.parametrize("form", ["sync", "async"])
def test_nested_flows_in_pool_threads(size: int, form: str) -> None:
    """A flow that runs in a pool thread, and leaves children for the same pool to its end, ends."""

    @flow
    def nested() -> str:
        for number in range(5):
            submit(add, number)
            submit(add_async, number)
        return "nested"

    @flow
    async def nested_async() -> str:
        for number in range(5):
            submit(add, number)
            submit(add_async, number)
        return "nested"

    @task
    def run() -> tuple[str, int]:
        made = nested().execute() if form == "sync" else nested_async().execute()
        return made.return_value, len(made.flow_run.tasks)

    @task
    async def run_async() -> tuple[str, int]:
        made = await (nested() if form == "sync" else nested_async())
        return made.return_value, len(made.flow_run.tasks)

    with unclosed(ThreadExecutor(size)) as executor, Flow[None](), use_executor(executor):
        futures = [submit(run) for _ in range(4)] + [submit(run_async) for _ in range(4)]
        assert [future.result() for future in futures] == [("nested", 10)] * 8


@SIZES
def test_blocks_in_pool_threads(size: int) -> None:
    """The same for `with` and `async with` blocks."""

    @task
    def run() -> int:
        with Flow[None]() as made:
            submit(deep, 2)
            submit(deep_async, 2)
        return len(made.flow_run.tasks)

    @task
    async def run_async() -> int:
        async with Flow[None]() as made:
            submit(deep, 2)
            submit(deep_async, 2)
        return len(made.flow_run.tasks)

    with unclosed(ThreadExecutor(size)) as executor, Flow[None](), use_executor(executor):
        futures = [submit(run) for _ in range(3)] + [submit(run_async) for _ in range(3)]
        assert [future.result() for future in futures] == [6] * 6


@SIZES
def test_direct_calls_of_placed_tasks(size: int) -> None:
    """Tasks with an executor of their own that call each other directly end, sync and async."""
    with ThreadExecutor(size) as pool:

        @task(executor=pool)
        def down(levels: int) -> int:
            return down(levels - 1) + 1 if levels else 0

        @task(executor=pool)
        async def down_async(levels: int) -> int:
            return await down_async(levels - 1) + 1 if levels else 0

        @task(executor=pool)
        async def mixed(levels: int) -> int:
            return down(levels) + await down_async(levels)

        with Flow[None](), use_executor(pool):
            assert down(4) == 4
            assert [submit(down, 4).result(), submit(down_async, 4).result(), submit(mixed, 3).result()] == [4, 4, 6]
            assert [one.result() for one in [submit(mixed, 2) for _ in range(6)]] == [4] * 6


def test_two_pools_that_wait_for_each_other() -> None:
    """Tasks of two pools of one thread each, that submit to one another in turn, end."""
    with ThreadExecutor(1) as first, ThreadExecutor(1) as second:

        @task
        def ping(levels: int) -> int:
            with use_executor(second):
                return submit(pong, levels - 1).result() + 1 if levels else 0

        @task
        def pong(levels: int) -> int:
            with use_executor(first):
                return submit(ping, levels - 1).result() + 1 if levels else 0

        with Flow[None](), use_executor(first):
            assert submit(ping, 1).result(30) == 1
            assert submit(ping, 5).result(30) == 5


def test_waiting_for_a_sibling_that_runs_later() -> None:
    """A task that waits for one that was submitted after it, in a pool of one thread, runs that one."""
    futures: list[Any] = []
    ready = threading.Event()

    @task
    def first() -> int:
        ready.wait(20)
        return int(futures[1].result()) + 1

    with unclosed(ThreadExecutor(1)) as executor, Flow[None](), use_executor(executor):
        futures.append(submit(first))
        futures.append(submit(add, 1))
        ready.set()
        assert futures[0].result() == 12


def test_waiting_for_a_sibling_awaits_later() -> None:
    """The same for an async task that awaits one that was submitted after it."""
    futures: list[Any] = []
    ready = threading.Event()

    @task
    async def first(index: int) -> int:
        ready.wait(20)
        return int(await futures[index]) + 1

    for sibling in (add, add_async):
        futures.clear()
        ready.clear()
        with unclosed(ThreadExecutor(1)) as executor, Flow[None](), use_executor(executor):
            futures.append(submit(first, 1))
            futures.append(submit(sibling, 1))
            ready.set()
            assert futures[0].result() == 12


def test_very_deep_nesting() -> None:
    """A chain of waiting tasks in a pool of one thread may be longer than the stack is deep."""
    with unclosed(ThreadExecutor(1)) as executor, Flow[None](), use_executor(executor):
        assert submit(deep, 400).result() == 400
        assert submit(deep_async, 400).result() == 400


@task(timeout=20)
def behind_a_deadline() -> int:
    return submit(add, 1).result()


@task
async def behind_to_thread() -> int:
    return await asyncio.to_thread(lambda: submit(add, 1).result())


@task
def behind_a_loop() -> int:
    async def main() -> int:
        return await submit(add_async, 1) + await submit(add, -10)

    return asyncio.run(main())


@flow
async def waits_for_one() -> int:
    return await submit(add, 1)


@flow
async def leaves_one() -> int:
    submit(add, 1)
    submit(add_async, 1)
    return 11


@task
async def behind_a_flow() -> int:
    return waits_for_one().execute().return_value


@task
async def behind_the_end_of_a_flow() -> int:
    return leaves_one().execute().return_value


@task
def behind_a_bound_thread() -> int:
    found: list[int] = []

    def wait() -> None:
        found.append(submit(add, 1).result())

    thread = threading.Thread(target=bind_context(wait))
    thread.start()
    thread.join()
    return found[0]


BEHIND = (
    behind_a_deadline,
    behind_to_thread,
    behind_a_loop,
    behind_a_flow,
    behind_the_end_of_a_flow,
    behind_a_bound_thread,
)


@SIZES
@pytest.mark.parametrize("parent", BEHIND, ids=lambda parent: parent.__name__)
@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
def test_waiting_behind_another_thread(parent: Any, size: int) -> None:
    """A task may wait for its own pool in another thread: that of its deadline, of `to_thread`, of a nested loop."""
    with unclosed(ThreadExecutor(size)) as executor, Flow[None](), use_executor(executor):
        assert [future.result(15) for future in [submit(parent) for _ in range(3)]] == [11] * 3
