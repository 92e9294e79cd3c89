"""Where a call runs: as its task says, else as the innermost `use_executor`, else as its kind suggests."""

import asyncio
import contextvars
import os
import re
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from flowscope import (
    AsyncioExecutor,
    DefinitionError,
    Executor,
    Flow,
    ProcessExecutor,
    RunStatus,
    ThreadExecutor,
    bind_context,
    current_flow,
    flow,
    map_tasks,
    submit,
    task,
    use_executor,
)
from support.executors.placed_tasks import Place, executors_of, here, in_loop_async, in_number, in_process, in_thread
from support.executors.tasks import locate, locate_async
from support.executors.third_party import ThreadPerCall


def test_without_a_choice_the_kind_decides() -> None:
    """Sync tasks run in a thread of a shared pool, async ones in an event loop."""
    with Flow[None]() as made:
        pid, thread = submit(locate).result()
        loop_pid, loop_thread = submit(locate_async).result()
    assert pid == loop_pid == os.getpid()
    assert len({thread, loop_thread, threading.current_thread().name}) == 3
    assert executors_of(made) == ["thread", "asyncio"]


async def test_async_tasks_run_in_the_loop_of_an_async_flow() -> None:
    """Async tasks that an async flow submits run in its own loop, and thread."""

    @task
    async def loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async with Flow[None]() as made:
        assert await submit(loop) is asyncio.get_running_loop()
        with use_executor("asyncio"):
            assert await submit(loop) is asyncio.get_running_loop()
            assert (await submit(locate))[1] != threading.current_thread().name
        assert await submit(locate_async) == here()
    assert executors_of(made) == ["asyncio"] * 4


async def test_async_tasks_of_a_sync_flow_run_in_the_background() -> None:
    """A sync flow's async tasks run in a loop of the library, also where a loop is running: the flow blocks it."""

    def body() -> Place:
        return submit(locate_async).result()

    made = await Flow[Place]().setup(body)
    assert made.return_value[0] == os.getpid()
    assert made.return_value[1] != threading.current_thread().name


async def test_async_tasks_submitted_by_a_sync_task_run_in_the_background() -> None:
    """A sync task of an async flow that waits for an async one does not wait for its own loop."""

    @task
    def waits() -> Place:
        return submit(locate_async).result()

    async with Flow[None]():
        assert (waits())[1] != threading.current_thread().name
        assert (await submit(waits))[1] != threading.current_thread().name


@pytest.mark.parametrize("name", ["asyncio", "thread", "process"])
def test_use_executor_takes_names(name: Any) -> None:
    """A name stands for an executor that everybody shares; the block gives it."""
    with use_executor(name) as first, use_executor(name) as second:
        assert first is second
        assert first.name == name
        with Flow[None]() as made:
            pid, _ = submit(locate).result()
            submit(locate_async).result()
    assert (pid != os.getpid()) is (name == "process")
    assert executors_of(made) == [name, name]


def test_the_innermost_use_executor_wins() -> None:
    """Inside a block, another one holds until its end, and an exception ends it too."""
    mine = ThreadPerCall()
    with Flow[None]() as made, use_executor("process"):
        submit(locate).result()
        with use_executor(mine):
            submit(locate).result()
            with use_executor("thread"):
                submit(locate).result()
            submit(locate).result()
        with pytest.raises(LookupError), use_executor("thread"):
            raise LookupError
        submit(locate).result()
    assert executors_of(made) == ["process", "thread per call", "thread", "thread per call", "process"]


def test_the_executor_of_the_task_wins() -> None:
    """What a task says of its executor holds in every `use_executor`."""
    with Flow[None]() as made, use_executor(ThreadPerCall()):
        assert submit(in_process).result()[0] != os.getpid()
        assert submit(in_thread).result()[0] == os.getpid()
        assert submit(in_loop_async).result()[0] == os.getpid()
        list(map_tasks(in_number, [1, 2]))
    assert executors_of(made) == ["process", "thread", "asyncio", "process", "process"]


def test_a_task_may_have_an_executor_of_its_own() -> None:
    """An instance given to `@task` is used for submitted and for direct calls."""
    mine = ThreadPerCall()

    @task(executor=mine)
    def own() -> str:
        return threading.current_thread().name

    @task(executor=mine)
    async def own_async() -> str:
        return threading.current_thread().name

    async def body() -> list[str]:
        return [await submit(own), await submit(own_async), own(), await own_async()]

    with use_executor("process"):
        made = Flow[list[str]]().setup(body).execute()
    assert made.return_value == ["one call"] * 4
    assert executors_of(made) == ["thread per call"] * 4


def test_instances_of_one_kind_are_told_apart() -> None:
    """Each executor has workers of its own."""
    with ThreadExecutor(1) as first, ThreadExecutor(1) as second, Flow[None]():
        with use_executor(first):
            of_first = [submit(locate).result() for _ in range(3)]
        with use_executor(second):
            of_second = [submit(ident).result() for _ in range(3)]
        with use_executor(first):
            again = submit(ident).result()
    assert len({thread for _, thread in of_first}) == 1
    assert len(set(of_second)) == 1
    assert again not in of_second


@task
def ident() -> int:
    return threading.get_ident()


WRONG: list[Any] = ["threads", "", "Process", "inline", None, 3, ThreadExecutor, locate]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong).split(" at 0x")[0])
def test_wrong_executors_are_refused(wrong: Any) -> None:
    """What is no executor, and no name of one, is refused where it is given, and told what would do."""
    with pytest.raises(DefinitionError, match=r"use_executor: executor is .*'asyncio', 'thread', 'process', or"):
        use_executor(wrong).__enter__()
    if wrong is not None:
        with pytest.raises(DefinitionError, match=r"task 'locate': executor is .*wanted one of 'asyncio', 'thread'"):
            task(executor=wrong)(locate.__wrapped__)  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]


@pytest.mark.parametrize("workers", [0, -1, "2", 1.5, True, [2]])
@pytest.mark.parametrize("kind", [ThreadExecutor, ProcessExecutor])
def test_an_executor_needs_a_worker(kind: Callable[[Any], Executor], workers: Any) -> None:
    """Less than one worker, or what is no whole number, is an error that says what was wanted."""
    with pytest.raises(DefinitionError, match=re.escape(f"max_workers is {workers!r}, wanted a whole number")):
        kind(workers)


def test_the_default_sizes() -> None:
    """Without a number, executors have workers for this machine."""
    count = os.cpu_count() or 1
    assert ThreadExecutor().workers == min(32, count + 4)
    assert ProcessExecutor().workers == count
    assert AsyncioExecutor().in_flight == 100
    assert (ThreadExecutor(3).workers, ThreadExecutor(3).in_flight) == (3, 6)


def test_an_unknown_start_method_is_refused() -> None:
    """There are no forked workers: they would inherit locks that nobody opens."""
    wrong: Any = "fork"
    with pytest.raises(DefinitionError, match="start_method is 'fork'"):
        ProcessExecutor(start_method=wrong)


def test_a_generator_cannot_have_an_executor() -> None:
    """A generator runs where it is iterated over; an executor for it is refused at its definition."""
    with pytest.raises(DefinitionError, match="cannot have an executor"):

        @task(executor="thread")
        def numbers() -> Any:
            yield 1


async def test_use_executor_holds_in_what_the_block_starts() -> None:
    """Asyncio tasks, threads with a copied context and bound functions keep the choice; siblings do not see it."""
    started = asyncio.Event()

    async def chosen() -> None:
        with use_executor("process"):
            started.set()
            await asyncio.gather(submit(locate), asyncio.create_task(waiting()))
            await asyncio.to_thread(lambda: submit(locate).result())

    async def waiting() -> None:
        await submit(locate)

    async def sibling() -> None:
        await started.wait()
        await submit(locate)

    async with Flow[None]() as made:
        await asyncio.gather(chosen(), sibling())
    assert sorted(executors_of(made)) == ["process"] * 3 + ["thread"]


def test_use_executor_is_not_inherited_by_bare_threads() -> None:
    """A thread that knows nothing of the context chooses as if there were no block."""
    with Flow[None]() as made, use_executor("process"):
        in_flow: list[Callable[[], Any]] = [bind_context(lambda: submit(locate).result())]
        context = contextvars.copy_context()
        in_flow.append(lambda: context.run(lambda: submit(locate).result()))
        for function in in_flow:
            thread = threading.Thread(target=function)
            thread.start()
            thread.join()
    assert executors_of(made)[1] == "process"


def test_use_executor_around_a_flow() -> None:
    """The choice around a flow holds for what the flow submits, in nested flows too."""

    @flow
    def inner() -> list[str]:
        submit(locate).result()
        return executors_of_running()

    @flow
    def outer() -> list[str]:
        submit(locate).result()
        return [*executors_of_running(), *inner().execute().return_value]

    with use_executor("process"):
        assert outer().execute().return_value == ["process", "process"]


def executors_of_running() -> list[str]:
    return [task.executor for task in current_flow().flow_run.tasks]


def test_use_executor_holds_inside_submitted_tasks() -> None:
    """What a submitted task submits goes where its submitter's block says."""
    mine = ThreadPerCall()

    @task
    def outer() -> None:
        submit(locate).result()
        with use_executor("thread"):
            submit(locate).result()

    with Flow[None]() as made, use_executor(mine):
        submit(outer).result()
    assert executors_of(made) == ["thread per call", "thread per call", "thread"]


def test_use_executor_may_be_left_by_an_async_generator() -> None:
    """A block that an async generator suspends in, and that is closed elsewhere, does no harm."""

    async def numbers() -> AsyncGenerator[int]:
        with use_executor("process"):
            yield 1
            yield 2

    async def body() -> None:
        generator = numbers()
        await anext(generator)
        await generator.aclose()

    made = Flow[None]().setup(body).execute()
    assert made.status is RunStatus.COMPLETED
