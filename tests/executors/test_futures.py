"""What `submit` returns: waiting for it, asking it, cancelling it."""

import asyncio
import gc
import threading
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
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
from support.executors.gate import Gate
from support.executors.scenarios import wait_for
from support.executors.task_forms import FORMS, PLACES, Tasks
from support.executors.tasks import Crash, add, add_async, crash, crash_async, tolerated
from support.executors.waiting_tasks import hold_async


@PLACES
@FORMS
async def test_a_future_may_be_awaited_again(place: Any, tasks: Tasks) -> None:
    """Each await gives the value, or raises the very exception; `result` does, too."""
    async with Flow[None]():
        with use_executor(place):
            added, crashed = submit(tasks.add, 1), submit(tasks.crash, "boom")
        assert [await added, await added, added.result(), added.result(0)] == [11] * 4
        errors: list[BaseException | None] = [crashed.exception() if crashed.done() else None]
        for _ in range(2):
            with pytest.raises(Crash) as caught:
                await crashed
            errors.append(caught.value)
        with pytest.raises(Crash) as caught:
            crashed.result()
        errors += [caught.value, crashed.exception(), crashed.exception(0)]
    assert len({id(error) for error in errors if error is not None}) == 1


def test_results_wait_to_be_read() -> None:
    """Of thousands of calls that have ended, each keeps its value, whenever and in whatever order it is asked for."""
    with Flow[None]() as made:
        futures = [submit(add, number) for number in range(3_000)]
        assert [future.result() for future in reversed(futures)] == [number + 10 for number in reversed(range(3_000))]
        assert all(future.done() for future in futures)
        assert [future.result(0) for future in futures] == [number + 10 for number in range(3_000)]
    assert len(made.flow_run.tasks) == 3_000


async def test_several_await_one_future(gate: Gate) -> None:
    """Many awaits of one future, begun before its end, all get the value."""
    async with Flow[None]():
        future = submit(hold_async, gate.address, "a")
        waiting = [asyncio.ensure_future(wait_for(future)) for _ in range(20)]
        (visitor,) = await asyncio.to_thread(gate.wait_for)
        visitor.let_go()
        assert await asyncio.gather(*waiting) == ["a"] * 20


@PLACES
@FORMS
async def test_a_future_is_awaited_in_another_loop(place: Any, tasks: Tasks, gate: Gate) -> None:
    """A future may be awaited in the event loop of another thread, while its flow's loop goes on."""
    async with Flow[None]():
        with use_executor(place):
            future = submit(tasks.hold, gate.address, "a")
        (visitor,) = await asyncio.to_thread(gate.wait_for)
        elsewhere = asyncio.ensure_future(asyncio.to_thread(asyncio.run, wait_for(future)))
        visitor.let_go()
        assert await elsewhere == "a"
        assert await future == "a"


@PLACES
@FORMS
async def test_threads_wait_for_a_future(place: Any, tasks: Tasks, gate: Gate) -> None:
    """Many threads block on one future while the loop goes on, and all get the value."""
    async with Flow[None]():
        with use_executor(place):
            future = submit(tasks.hold, gate.address, "a")
        (visitor,) = await asyncio.to_thread(gate.wait_for)
        waiting = [asyncio.ensure_future(asyncio.to_thread(future.result, 30)) for _ in range(4)]
        visitor.let_go()
        assert await asyncio.gather(*waiting) == ["a"] * 4


@PLACES
@FORMS
def test_result_comes_too_early(place: Any, tasks: Tasks, gate: Gate) -> None:
    """`result` and `exception` raise `TimeoutError` when the call has not ended in time, and it goes on."""
    with Flow[None](), use_executor(place):
        future = submit(tasks.hold, gate.address, "a")
        for ask in (future.result, future.exception):
            with pytest.raises(TimeoutError):
                ask(0)
            with pytest.raises(TimeoutError):
                ask(timeout=0.01)
        assert not future.done()
        gate.wait_for()[0].let_go()
        assert future.result(30) == "a"
        assert future.exception() is None


@FORMS
async def test_asyncio_waits_for_futures(tasks: Tasks, gate: Gate) -> None:
    """`asyncio.wait_for`, `timeout`, `gather` and `as_completed` take a future as any awaitable."""
    async with Flow[None]() as made:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wait_for(submit(tasks.hold, gate.address)), 0.01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await submit(tasks.hold, gate.address)
        assert list(await asyncio.gather(submit(add, 1), submit(add_async, 2))) == [11, 12]
    statuses = [task.status for task in made.flow_run.tasks]
    assert statuses == [RunStatus.CANCELLED] * 2 + [RunStatus.COMPLETED] * 2


@PLACES
@FORMS
def test_the_states_of_a_future(place: Any, tasks: Tasks, gate: Gate) -> None:
    """Status, `done`, id and repr tell where a call is, and agree with the record."""
    with Flow[None]() as made, use_executor(place):
        future = submit(tasks.hold, gate.address, "a")
        name = tasks.name("hold")
        (visitor,) = gate.wait_for()
        assert (future.status, future.done()) == (RunStatus.RUNNING, False)
        assert repr(future) == f"<TaskFuture {name!r} running>"
        assert future.task_id == made.flow_run.tasks[0].task_id
        visitor.let_go()
        future.result()
        assert (future.status, future.done()) == (RunStatus.COMPLETED, True)
        assert repr(future) == f"<TaskFuture {name!r} completed>"
        failed, handled = submit(tasks.crash, "boom"), submit(tolerated, "boom")
        assert isinstance(failed.exception(), Crash)
        assert (failed.status, failed.done()) == (RunStatus.FAILED, True)
        assert handled.exception() is None
        assert (handled.status, handled.result()) == (RunStatus.FAILED, None)
    assert future.task_id == made.flow_run.tasks[0].task_id
    assert (future.status, future.result()) == (RunStatus.COMPLETED, "a")


@FORMS
@pytest.mark.parametrize("kind", [ThreadExecutor, ProcessExecutor])
def test_a_waiting_call_is_pending(kind: Callable[[int], Any], tasks: Tasks, gate: Gate) -> None:
    """A call that waits for a worker is pending, since its submission, and starts when there is one."""
    with kind(1) as executor, Flow[None]() as made, use_executor(executor):
        first = submit(tasks.hold, gate.address, "a")
        second = submit(tasks.hold, gate.address, "b")
        (visitor,) = gate.wait_for()
        assert (first.status, second.status) == (RunStatus.RUNNING, RunStatus.PENDING)
        waiting = made.flow_run.tasks[1]
        assert (waiting.status, waiting.end_time, waiting.duration) == (RunStatus.PENDING, None, 0)
        assert made.flow_run.start_time is not None
        assert waiting.start_time >= made.flow_run.start_time
        visitor.let_go()
        (visitor,) = gate.wait_for()
        visitor.let_go()
        assert [first.result(), second.result()] == ["a", "b"]
    before, after = made.flow_run.tasks
    assert before.end_time is not None
    assert after.start_time >= before.end_time
    assert after.duration + before.duration <= made.flow_run.duration


@FORMS
async def test_blocking_on_the_own_loop_is_refused(tasks: Tasks, gate: Gate) -> None:
    """`result` in the thread whose loop runs the task would never end: it raises, with or without a timeout."""
    async with Flow[None]():
        future = submit(hold_async, gate.address, "a")
        for ask in (future.result, future.exception):
            with pytest.raises(RuntimeError, match=r"'hold_async' runs in the event loop of this thread.*Await"):
                ask()
            with pytest.raises(RuntimeError, match="would wait for itself"):
                ask(1)
        (visitor,) = await asyncio.to_thread(gate.wait_for)
        visitor.let_go()
        assert await future == "a"
        assert future.result() == "a"


async def test_blocking_in_a_loop_on_a_thread_works() -> None:
    """`result` on what runs in a thread blocks the loop, as it says, and returns."""
    async with Flow[None]():
        assert submit(add, 1).result() == 11
        with use_executor("process"):
            assert submit(add_async, 1).result() == 11


def test_a_task_that_is_done_is_not_waited_for() -> None:
    """`result(0)` of what has ended returns at once."""
    with Flow[None]():
        future = submit(add, 1)
        future.result()
        assert (future.result(0), future.exception(0)) == (11, None)


def test_results_may_be_asked_for_after_the_flow() -> None:
    """A future outlives its flow: it keeps its value, exception and id."""
    with Flow[None](flow_config=FlowConfig(raise_flow_error=False)) as made:
        added, crashed = submit(add, 1), submit(crash, "boom")
        assert isinstance(crashed.exception(), Crash)
    assert added.result() == 11
    assert asyncio.run(wait_for(added)) == 11
    assert isinstance(crashed.exception(), Crash)
    assert [added.task_id, crashed.task_id] == [task.task_id for task in made.flow_run.tasks]
    assert not added.cancel()


def test_a_future_does_not_keep_the_flow_alive() -> None:
    """Holding a future of a flow that has ended keeps neither the flow nor the arguments."""

    class Thing:
        """Something big."""

    @task
    def use(thing: Thing) -> int:
        return 1

    def run() -> tuple[TaskFuture[int], weakref.ref[Any], weakref.ref[Any]]:
        thing = Thing()
        config = FlowConfig(record_inputs=False)
        with Flow[None](flow_config=config) as made, use_executor("thread"):
            future = submit(use, thing)
            future.result()
        return future, weakref.ref(made), weakref.ref(thing)

    future, flow, thing = run()
    gc.collect()
    assert (flow(), thing()) == (None, None)
    assert future.result() == 1


def test_an_unread_future_may_be_dropped() -> None:
    """Dropping a future does not cancel its task."""
    ran = threading.Event()

    @task
    def note() -> None:
        ran.set()

    with Flow[None]() as made:
        submit(note)
        gc.collect()
    assert ran.is_set()
    assert made.flow_run.tasks[0].status is RunStatus.COMPLETED


def test_futures_of_map_tasks_do_not_exist() -> None:
    """`map_tasks` gives values, no futures; what it submits is in the record all the same."""
    with Flow[None]() as made:
        assert list(map_tasks(add, [1, 2])) == [11, 12]
    assert [task.return_value for task in made.flow_run.tasks] == [11, 12]


async def test_reading_a_failure_again_adds_nothing_to_it() -> None:
    """However often a failure is read, its traceback shows where the task failed, and the latest reader alone."""
    async with Flow[None]():
        for anything in (crash, crash_async):
            crashing: Any = anything
            future = submit(crashing, "read")
            lengths: set[int] = set()
            for _ in range(5):
                with pytest.raises(Crash) as caught:
                    await future
                lengths.add(len(traceback.extract_tb(caught.value.__traceback__)))
            assert len(lengths) == 1
            for _ in range(5):
                with pytest.raises(Crash) as caught:
                    future.result()
                lengths.add(len(traceback.extract_tb(caught.value.__traceback__)))
            assert max(lengths) - min(lengths) <= 3
