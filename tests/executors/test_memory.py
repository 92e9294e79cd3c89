"""What submitted calls leave behind: nothing, where nothing is kept."""

import gc
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowscope import (
    AsyncioExecutor,
    Executor,
    Flow,
    FlowConfig,
    ProcessExecutor,
    TaskFuture,
    ThreadExecutor,
    map_tasks,
    submit,
    task,
    use_executor,
)
from support.executors.recording_tasks import nest
from support.executors.tasks import crash, echo, echo_async

LEAN = FlowConfig(add_task_to_self=False, log_to_memory=False)
EXECUTORS: dict[str, Callable[[], Executor]] = {
    "asyncio": AsyncioExecutor,
    "thread": lambda: ThreadExecutor(2),
    "process": lambda: ProcessExecutor(1),
}


class Thing:
    """A value that can be watched."""


@task
def take(thing: Thing) -> Thing:
    return thing


@task
async def take_async(thing: Thing) -> Thing:
    return thing


@pytest.fixture
def traced() -> Iterator[Callable[[], int]]:
    """How much memory is in use."""
    tracemalloc.start()

    def in_use() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    yield in_use
    tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("make", EXECUTORS.values(), ids=EXECUTORS)
@pytest.mark.parametrize("mapped", [echo, echo_async, nest], ids=["sync", "async", "nested"])
def test_a_long_map_needs_constant_memory(make: Callable[[], Executor], mapped: Any, traced: Callable[[], int]) -> None:
    """A flow that keeps no tasks needs no more memory for thousands of submitted ones than for hundreds."""
    count, bytes_each = (1_500, 200) if make is EXECUTORS["process"] or mapped is nest else (3_000, 30)

    def body() -> float:
        for _ in range(2):
            for _ in map_tasks(mapped, [1] * 300, limit=8):
                pass
        return min(
            growth(), growth(), growth()
        )  # what leaks does so each time, and what other threads allocate does not

    def growth() -> float:
        before = traced()
        for _ in map_tasks(mapped, iter([1] * count), limit=8):
            pass
        return (traced() - before) / count

    executor = make()
    with executor, use_executor(executor):
        assert Flow[float](flow_config=LEAN).setup(body).execute().return_value < bytes_each


def test_values_that_were_read_are_let_go() -> None:
    """A map whose results are read and dropped keeps none of them, nor their arguments."""
    alive: list[int] = []
    things: weakref.WeakSet[Thing] = weakref.WeakSet()

    def items() -> Iterator[Thing]:
        for _ in range(200):
            thing = Thing()
            things.add(thing)
            yield thing

    def body() -> None:
        for mapped in (take, take_async):
            for _ in map_tasks(mapped, items(), limit=4):
                alive.append(len(things))

    Flow[None](flow_config=LEAN).setup(body).execute()
    assert max(alive) <= 12


def test_a_read_failure_is_let_go() -> None:
    """The exception of a task that was read and dropped is not kept by the flow, with all that its frames hold."""
    config = FlowConfig(add_task_to_self=False, record_inputs=False)

    class Breaks(Exception):
        """What is watched."""

    @task
    def breaks(thing: Thing) -> None:
        raise Breaks

    kept: list[weakref.ref[BaseException]] = []

    def once() -> None:
        error = submit(breaks, Thing()).exception()
        assert error is not None
        kept.append(weakref.ref(error))

    def body() -> int:
        for _ in range(5):
            once()
        gc.collect()
        return sum(one() is not None for one in kept)

    assert Flow[int](flow_config=config).setup(body).execute().return_value == 0


def test_a_finished_flow_is_let_go_by_pools() -> None:
    """Pools that go on living keep no flow that has ended, nor anything that it had."""
    executors: list[Any] = ["asyncio", "thread", "process", ThreadExecutor(1)]

    def use(executor: Any) -> weakref.ref[Flow[Any]]:
        def body() -> None:
            thing = Thing()
            with use_executor(executor):
                submit(echo, 1).result()
                submit(echo_async, 1).result()
                submit(crash, "read").exception()
                for item in map_tasks(echo, range(50)):
                    if item == 3:
                        break
            del thing

        made = Flow[None]().setup(body).execute()
        return weakref.ref(made)

    flows = [use(executor) for executor in executors]
    gc.collect()
    assert [flow() for flow in flows] == [None] * len(executors)


def test_a_left_behind_thread_does_not_keep_the_flow() -> None:
    """A thread that was left behind keeps its own frames alive, and not the flow."""
    release = threading.Event()
    started = threading.Event()

    @task
    def stuck() -> None:
        started.set()
        release.wait(30)

    def use() -> tuple[weakref.ref[Flow[Any]], TaskFuture[None]]:
        with Flow[None]() as made:
            future = submit(stuck)
            started.wait(20)
            future.cancel()
        return weakref.ref(made), future

    flow, future = use()
    gc.collect()
    assert flow() is None
    assert future.done()
    release.set()
