"""A task that waits in the thread of a pool is like any: for records, for cancelling, for closing, for the pool's size."""

import asyncio
import itertools
import threading
from typing import Any

import pytest

from flowscope import (
    Flow,
    FlowConfig,
    RunStatus,
    ThreadExecutor,
    map_tasks,
    submit,
    task,
    use_executor,
)
from support.executors.nesting_tasks import deep, unclosed
from support.executors.tasks import add, echo, echo_async


def test_waiting_with_a_timeout_in_a_pool_thread() -> None:
    """`result(timeout)` in the only thread of a pool, on what waits for it, returns, or is too early; it never hangs."""

    @task
    def impatient() -> str:
        future = submit(add, 1)
        try:
            return str(future.result(0.05))
        except TimeoutError:
            return "too early"

    with unclosed(ThreadExecutor(1)) as executor, Flow[None]() as made, use_executor(executor):
        assert submit(impatient).result() in {"11", "too early"}
    assert [task.status for task in made.flow_run.tasks] == [RunStatus.COMPLETED] * 2


def test_a_helped_task_is_like_any() -> None:
    """A task that runs in the thread of its waiting parent keeps its own record, log, retries and failure."""
    attempts = itertools.count(1)

    @task(retries=1)
    def child(word: str) -> str:
        print(f"{word} {next(attempts)}")
        if word == "fails":
            raise LookupError(word)
        return word

    @task
    def parent() -> list[Any]:
        print("parent before")
        found = [submit(child, "a").result(), type(submit(child, "fails").exception()).__name__]
        print("parent after")
        return found

    with unclosed(ThreadExecutor(1)) as executor, Flow[None](flow_config=FlowConfig(capture_events=True)) as made:
        with use_executor(executor):
            assert submit(parent).result() == ["a", "LookupError"]
    record = made.flow_run
    outer, good, bad = record.tasks
    prints = [(entry.message, entry.task_id) for entry in record.logs if entry.source == "stdout"]
    assert prints == [
        ("parent before", outer.task_id),
        ("a 1", good.task_id),
        ("fails 2", bad.task_id),
        ("fails 3", bad.task_id),
        ("parent after", outer.task_id),
    ]
    assert [(one.status, one.attempts) for one in record.tasks] == [
        (RunStatus.COMPLETED, 1),
        (RunStatus.COMPLETED, 1),
        (RunStatus.FAILED, 2),
    ]
    assert {one.parent_task_id for one in (good, bad)} == {outer.task_id}
    assert [one.executor for one in record.tasks] == ["thread"] * 3


def test_a_helped_async_task_is_like_any() -> None:
    """The same for an async task that runs in the loop of its waiting parent, and outlives the wait."""
    order: list[str] = []

    @task
    async def child(word: str, steps: int) -> str:
        for _ in range(steps):
            await asyncio.sleep(0)
        order.append(word)
        print(word)
        return word

    @task
    async def parent() -> str:
        slow, quick = submit(child, "slow", 50), submit(child, "quick", 1)
        waiting = asyncio.ensure_future(wait_for(slow))
        for _ in range(3):
            await asyncio.sleep(0)
        found = await quick
        waiting.cancel()
        order.append("parent")
        return str(found)

    async def wait_for(future: Any) -> Any:
        return await asyncio.shield(asyncio.ensure_future(again(future)))

    async def again(future: Any) -> Any:
        return await future

    with unclosed(ThreadExecutor(1)) as executor, Flow[None]() as made, use_executor(executor):
        assert submit(parent).result() == "quick"
    record = made.flow_run
    outer, slow, quick = record.tasks
    assert outer.status is quick.status is RunStatus.COMPLETED
    assert slow.status in {RunStatus.COMPLETED, RunStatus.CANCELLED}
    assert all(one.end_time is not None for one in record.tasks)


def test_cancelling_a_parent_that_helps() -> None:
    """A parent that is cancelled while it runs a child in its thread is left behind with it; both have an end."""
    started = threading.Event()
    release = threading.Event()

    @task
    def child() -> str:
        started.set()
        release.wait(30)
        return "child"

    @task
    def parent() -> str:
        return submit(child).result()

    with unclosed(ThreadExecutor(1)) as executor, Flow[None]() as made, use_executor(executor):
        future = submit(parent)
        started.wait(20)
        assert future.cancel()
        assert submit(echo, 1).result(30) == 1
        release.set()
    outer, inner, other = made.flow_run.tasks
    assert outer.status is RunStatus.CANCELLED
    assert inner.status in {RunStatus.COMPLETED, RunStatus.CANCELLED}
    assert inner.end_time is not None
    assert other.status is RunStatus.COMPLETED


def test_cancelling_a_helped_child() -> None:
    """A child that is cancelled while it runs in its parent's thread does not take the parent with it."""
    started = threading.Event()
    release = threading.Event()
    futures: list[Any] = []

    @task
    def child() -> str:
        started.set()
        release.wait(30)
        return "child"

    @task
    def parent() -> str:
        futures.append(submit(child))
        with pytest.raises(asyncio.CancelledError):
            futures[0].result()
        return "parent"

    with unclosed(ThreadExecutor(1)) as executor, Flow[None]() as made, use_executor(executor):
        future = submit(parent)
        started.wait(20)
        assert futures[0].cancel()
        release.set()
        assert future.result(30) == "parent"
        assert submit(echo_async, 1).result(30) == 1
    assert [one.status for one in made.flow_run.tasks] == [
        RunStatus.COMPLETED,
        RunStatus.CANCELLED,
        RunStatus.COMPLETED,
    ]


def test_closing_a_pool_whose_tasks_wait_for_it() -> None:
    """Closing while tasks wait for children that still wait in the queue runs all of them."""
    started = threading.Event()
    release = threading.Event()

    @task
    def parent() -> int:
        started.set()
        release.wait(20)
        return submit(deep, 3).result()

    executor = ThreadExecutor(2)
    with Flow[None]() as made, use_executor(executor):
        futures = [submit(parent) for _ in range(6)]
        started.wait(20)
        closing = threading.Thread(target=executor.close)
        closing.start()
        release.set()
        assert [future.result() for future in futures] == [3] * 6
        closing.join(30)
        assert not closing.is_alive()
    assert {task.status for task in made.flow_run.tasks} == {RunStatus.COMPLETED}


def test_a_pool_keeps_to_its_size() -> None:
    """No more calls run at once than there are workers, with deadlines and without; those that only wait do not count."""
    running = [0]
    most = [0]
    lock = threading.Lock()

    @task
    def count() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        for _ in range(20_000):
            pass
        with lock:
            running[0] -= 1

    counting_in_time = task(timeout=30)(count.__wrapped__)  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]

    @task
    def parent() -> None:
        futures = [submit(count), submit(counting_in_time)]
        for future in futures:
            future.result()

    with unclosed(ThreadExecutor(2)) as executor, Flow[None](), use_executor(executor):
        futures = [submit(one) for _ in range(30) for one in (count, counting_in_time, parent)]
        for future in futures:
            future.result()
    assert 1 <= most[0] <= 2


def test_completions_come_before_all_is_done() -> None:
    """In the only thread of a pool, too, the first of the completed results comes before the last task has run."""
    ran: list[int] = []

    @task
    def note(number: int) -> int:
        ran.append(number)
        return number

    @task
    def parent() -> list[int]:
        seen: list[int] = []
        for _ in map_tasks(note, range(20), limit=20).as_completed():
            seen.append(len(ran))
        return seen

    with unclosed(ThreadExecutor(1)) as executor, Flow[None](), use_executor(executor):
        seen = submit(parent).result()
    assert len(seen) == len(ran) == 20
    assert seen[0] < 20
