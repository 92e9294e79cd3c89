"""Executors are closed, used again, shared, dropped and forked."""

import asyncio
import gc
import os
import threading
import weakref
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
    map_tasks,
    submit,
    task,
    use_executor,
)
from support.executors.gate import Gate
from support.executors.task_forms import FORMS, Tasks
from support.executors.tasks import add, add_async, echo, locate, locate_async
from support.executors.waiting_tasks import hold

EXECUTORS: dict[str, Callable[[], Executor]] = {
    "asyncio": AsyncioExecutor,
    "thread": lambda: ThreadExecutor(2),
    "process": lambda: ProcessExecutor(2),
}


EVERYWHERE = pytest.mark.parametrize("make", EXECUTORS.values(), ids=EXECUTORS)


def library_threads() -> set[threading.Thread]:
    """The threads of pools that are alive."""
    return {one for one in threading.enumerate() if one.name.startswith(("flowscope-thread", "flowscope-process"))}


@EVERYWHERE
def test_an_executor_needs_no_block(make: Callable[[], Executor]) -> None:
    """An executor is used without `with`, and closed or not."""
    executor = make()
    with Flow[None](), use_executor(executor):
        assert [submit(add, 1).result(), submit(add_async, 1).result()] == [11, 11]
    executor.close()


@EVERYWHERE
def test_an_executor_is_entered_again_and_again(make: Callable[[], Executor]) -> None:
    """`with` may be entered twice, one after the other and one in the other, and each gives the executor."""
    executor = make()
    for _ in range(3):
        with executor as entered, executor:
            assert entered is executor
            with Flow[None](), use_executor(executor):
                assert submit(add, 1).result() == 11
        with Flow[None](), use_executor(executor):
            assert submit(add, 2).result() == 12
    executor.close()


@EVERYWHERE
async def test_an_executor_is_an_async_block(make: Callable[[], Executor]) -> None:
    """`async with` closes it and lets the loop go on meanwhile."""
    executor = make()
    for _ in range(2):
        async with executor as entered:
            assert entered is executor
            async with Flow[None]():
                with use_executor(executor):
                    assert await submit(add, 1) == 11


async def test_the_loop_goes_on_while_a_block_closes(gate: Gate) -> None:
    """The end of an `async with` waits for what runs in threads, and async tasks go on meanwhile."""
    executor = ThreadExecutor(1)

    async def let_go() -> None:
        (visitor,) = await asyncio.to_thread(gate.wait_for)
        visitor.let_go()

    async with Flow[None]():
        opening = asyncio.ensure_future(let_go())
        async with executor:
            with use_executor(executor):
                future = submit(hold, gate.address, "a")
        assert future.done()
        await opening
        assert await future == "a"


@EVERYWHERE
def test_closing_lets_go_of_everything(make: Callable[[], Executor]) -> None:
    """After `close` no thread of the executor is left."""
    before = library_threads()
    executor = make()
    with Flow[None](), use_executor(executor):
        for number in range(6):
            submit(add, number)
    executor.close()
    assert library_threads() <= before


def test_closing_lets_go_of_processes() -> None:
    """After `close` the worker processes have ended."""
    executor = ProcessExecutor(2)
    with Flow[None](), use_executor(executor):
        pids = {submit(locate).result()[0] for _ in range(4)}
    executor.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_use_executor_closes_nothing() -> None:
    """Leaving a `use_executor` block keeps the workers for the next one."""
    with ProcessExecutor(1) as executor, Flow[None]():
        pids: set[int] = set()
        for _ in range(3):
            with use_executor(executor):
                pids.add(submit(locate).result()[0])
    assert len(pids) == 1


@EVERYWHERE
@FORMS
def test_closing_without_waiting(make: Callable[[], Executor], tasks: Tasks, gate: Gate) -> None:
    """`close(wait=False)` returns at once, and what was taken is run to its end, whether it ran or waited."""
    executor = make()
    with Flow[None]() as made, use_executor(executor):
        futures = [submit(tasks.hold, gate.address, name) for name in "abcd"]
        first = gate.wait_for(2)
        executor.close(wait=False)
        assert not any(future.done() for future in futures)
        for visitor in first:
            visitor.let_go()
        for visitor in gate.wait_for(2):
            visitor.let_go()
        assert [future.result(30) for future in futures] == list("abcd")
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.COMPLETED}
    executor.close()


@EVERYWHERE
@FORMS
def test_submitting_while_it_closes(make: Callable[[], Executor], tasks: Tasks, gate: Gate) -> None:
    """What is submitted while another thread closes is run as well: nothing is lost, nothing refused."""
    executor = make()
    with Flow[None]() as made, use_executor(executor):
        first = submit(tasks.hold, gate.address, "a")
        (visitor,) = gate.wait_for()
        closing = threading.Thread(target=executor.close)
        closing.start()
        later = [submit(tasks.add, number) for number in range(10)]
        assert [future.result(30) for future in later] == list(range(10, 20))
        visitor.let_go()
        assert first.result(30) == "a"
        closing.join(30)
        assert not closing.is_alive()
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.COMPLETED}
    executor.close()


@pytest.mark.parametrize("kind", ["thread", "asyncio"])
def test_a_task_closes_its_own_executor(kind: str) -> None:
    """A task that closes the executor it runs on, waiting or not, does not wait for itself."""
    executor = EXECUTORS[kind]()

    @task
    def close(wait: bool) -> str:
        executor.close(wait=wait)
        return threading.current_thread().name

    @task
    async def close_async(wait: bool) -> str:
        executor.close(wait=wait)
        return threading.current_thread().name

    with Flow[None]() as made, use_executor(executor):
        for closing in (close, close_async):
            for wait in (True, False):
                submit(closing, wait).result(30)
                assert submit(add, 1).result(30) == 11
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.COMPLETED}
    executor.close()


def test_two_tasks_close_their_executor_at_once() -> None:
    """Two tasks that close the executor that both run on, and wait for it, do not wait for each other for ever."""
    executor = ThreadExecutor(2)
    meeting = threading.Barrier(2)

    @task
    def close() -> bool:
        meeting.wait(20)
        executor.close()
        return True

    with Flow[None](), use_executor(executor):
        assert [future.result(30) for future in [submit(close), submit(close)]] == [True, True]


def test_closing_twice_at_once() -> None:
    """Several threads may close one executor at the same time."""
    executor = ThreadExecutor(4)
    with Flow[None](), use_executor(executor):
        futures = [submit(echo, number) for number in range(50)]
        threads = [threading.Thread(target=executor.close) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads)
        assert [future.result() for future in futures] == list(range(50))


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_an_executor_that_nobody_holds_is_let_go(kind: str) -> None:
    """The threads and processes of an executor that is garbage end on their own, when their work is done."""
    before = library_threads()

    def use() -> tuple[weakref.ref[Executor], set[int]]:
        executor = EXECUTORS[kind]()
        with Flow[None](), use_executor(executor):
            pids = {submit(locate).result()[0] for _ in range(3)}
        return weakref.ref(executor), pids

    executor, pids = use()
    gc.collect()
    assert executor() is None
    for thread in library_threads() - before:
        thread.join(20)
        assert not thread.is_alive()
    for pid in pids - {os.getpid()}:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_an_executor_that_is_dropped_with_work_does_it() -> None:
    """Submitted calls keep their executor: dropping it loses nothing."""

    def use() -> list[Any]:
        with use_executor(ThreadExecutor(1)):
            return [submit(echo, number) for number in range(50)]

    with Flow[None]() as made:
        futures = use()
        gc.collect()
        assert [future.result(30) for future in futures] == list(range(50))
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.COMPLETED}


def test_one_executor_serves_many_flows() -> None:
    """Flows, one after the other and nested, share the workers of one executor."""
    with ThreadExecutor(1) as executor, use_executor(executor):
        idents: set[str] = set()
        for _ in range(5):
            with Flow[None]() as outer:
                idents.add(submit(locate).result()[1])
                with Flow[None]() as inner:
                    idents.add(submit(locate).result()[1])
            assert (len(outer.flow_run.tasks), len(inner.flow_run.tasks)) == (1, 1)
    assert len(idents) == 1


def test_one_executor_serves_many_loops() -> None:
    """Event loops, one after the other and at once, submit to one executor."""
    executor = ThreadExecutor(2)

    async def main(number: int) -> list[int]:
        async with Flow[None]():
            with use_executor(executor):
                return [item async for item in map_tasks(echo, range(number, number + 10))]

    for number in range(3):
        assert asyncio.run(main(number)) == list(range(number, number + 10))
    found: dict[int, list[int]] = {}

    def work(number: int) -> None:
        found[number] = asyncio.run(main(number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {number: list(range(number, number + 10)) for number in range(6)}
    executor.close()


def test_a_loop_that_is_closed_loses_nothing() -> None:
    """A flow in a loop of its own leaves no async task behind, nor a place where later ones would get lost."""

    def body() -> tuple[int, str]:
        return submit(locate_async).result()

    async def main() -> None:
        async with Flow[None]():
            await submit(add_async, 1)

    for _ in range(3):
        asyncio.run(main())
        assert Flow[Any]().setup(body).execute().return_value[0] == os.getpid()


class Big:
    """A value that can be watched."""


@EVERYWHERE
@FORMS
def test_an_idle_executor_keeps_nothing(make: Callable[[], Executor], tasks: Tasks) -> None:
    """What the latest call was given, and returned, is let go of when the future is, however long its worker waits."""

    def use() -> threading.Event:
        gone = threading.Event()
        with Flow[None](), use_executor(executor):
            big = Big()
            weakref.finalize(big, gone.set)
            submit(tasks.echo, big).result()
        return gone

    with make() as executor:
        events = [use() for _ in range(3)]
        gc.collect()
        assert [gone.wait(5) for gone in events] == [True] * 3
