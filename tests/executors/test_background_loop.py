"""The event loop in which async tasks run for those who cannot await: one for all, and hard to stop."""

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from flowscope import Flow, RunStatus, current_flow_or_none, submit, task, use_executor
from support.executors.tasks import Crash, add_async, crash_async


@task
async def where() -> tuple[asyncio.AbstractEventLoop, str]:
    return asyncio.get_running_loop(), threading.current_thread().name


def test_one_loop_serves_all() -> None:
    """Sync flows, in whatever thread, share one loop, in a daemon thread that is not theirs."""
    found: list[tuple[asyncio.AbstractEventLoop, str]] = []

    def work() -> None:
        with Flow[None](), use_executor("asyncio"):
            found.append(submit(where).result())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work()
    assert len(set(found)) == 1
    (name,) = {name for _, name in found}
    (thread,) = (one for one in threading.enumerate() if one.name == name)
    assert thread.daemon


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_a_task_does_not_stop_the_loop(kind: type[BaseException]) -> None:
    """What a task raises beside exceptions ends that task alone."""

    @task
    async def stops() -> None:
        raise kind("stop")

    with Flow[None]() as made:
        for _ in range(3):
            with pytest.raises((kind, asyncio.CancelledError)):
                submit(stops).result(20)
            assert submit(add_async, 1).result(20) == 11
    assert made.status is RunStatus.COMPLETED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_stray_coroutine_does_not_stop_the_loop(kind: type[BaseException]) -> None:
    """What a task leaves running in the loop may raise what it likes: later tasks run."""
    kept: list[asyncio.Task[None]] = []

    async def stray() -> None:
        raise kind("stray")

    @task
    async def leaves() -> str:
        kept.append(asyncio.get_running_loop().create_task(stray()))
        return "left"

    with Flow[None]():
        assert submit(leaves).result(20) == "left"
        for _ in range(3):
            assert submit(add_async, 1).result(20) == 11


def test_a_callback_that_raises_does_not_stop_the_loop() -> None:
    """Nor does a callback; the loop reports it as ever."""
    reported: list[str] = []

    @task
    async def leaves() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(str(context["exception"])))
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        loop.set_exception_handler(None)

    with Flow[None]():
        submit(leaves).result(20)
        assert submit(add_async, 1).result(20) == 11
    assert reported == ["integer division or modulo by zero"]


def test_a_stray_coroutine_has_no_flow_after_its_end() -> None:
    """What a task leaves running in the loop finds no flow when that has ended."""
    seen: list[Any] = []
    go_on = threading.Event()
    done = threading.Event()

    async def stray() -> None:
        await asyncio.to_thread(go_on.wait, 20)
        seen.append(current_flow_or_none())
        done.set()

    kept: list[Any] = []

    @task
    async def leaves() -> None:
        kept.append(asyncio.get_running_loop().create_task(stray()))

    with Flow[None]():
        submit(leaves).result(20)
    go_on.set()
    assert done.wait(20)
    assert seen == [None]


def test_tasks_in_the_loop_keep_their_own_context() -> None:
    """Each task has the context variables of its submitter, and what it sets is its own."""
    variable = contextvars.ContextVar("variable", default=0)

    @task
    async def change(number: int) -> tuple[int, int]:
        before = variable.get()
        variable.set(number)
        await asyncio.sleep(0)
        return before, variable.get()

    with Flow[None]():
        variable.set(7)
        futures = [submit(change, number) for number in range(20)]
        assert [future.result() for future in futures] == [(7, number) for number in range(20)]
        assert variable.get() == 7


def test_failures_in_the_loop_are_not_reported_twice() -> None:
    """A task that fails, and whose failure is read, leaves nothing that asyncio complains of."""
    with Flow[None]():
        for _ in range(5):
            with pytest.raises(Crash):
                submit(crash_async, "read").result()


def test_a_blocked_loop_is_only_slow() -> None:
    """A task that blocks the loop holds up the others, which run when it is done."""
    release = threading.Event()
    started = threading.Event()

    @task
    async def blocks() -> str:
        started.set()
        release.wait(20)
        return "blocked"

    with Flow[None]():
        first = submit(blocks)
        assert started.wait(20)
        second = submit(add_async, 1)
        with pytest.raises(TimeoutError):
            second.result(0.05)
        release.set()
        assert (first.result(20), second.result(20)) == ("blocked", 11)
