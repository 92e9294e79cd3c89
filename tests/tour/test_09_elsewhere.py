"""Tasks elsewhere: threads, event loops and worker processes, and a flow that does not end before its tasks."""

import asyncio
import itertools
import threading

import pytest

from flowscope import ProcessExecutor, RemoteDataError, flow, map_tasks, submit, task, use_executor

from .primes import count_primes, limit


def test_a_submitted_task_runs_beside_the_flow() -> None:
    """`submit` returns at once with a future; a sync task runs in a thread."""
    together = threading.Barrier(3)

    @task
    def fetch(page: int) -> str:
        together.wait()
        return f"page {page}"

    @flow
    def crawl() -> list[str]:
        futures = [submit(fetch, page) for page in (1, 2, 3)]
        return [future.result() for future in futures]

    run = crawl().execute()
    assert run.return_value == ["page 1", "page 2", "page 3"]
    assert [(call.execution_order, call.executor) for call in run.flow_run.tasks] == [
        (1, "thread"),
        (2, "thread"),
        (3, "thread"),
    ]


def test_an_async_flow_awaits_what_it_submits() -> None:
    """A future is awaitable, so that sync tasks do not block the event loop, and async ones run in it."""

    @task
    def parse(text: str) -> int:
        return int(text)

    @task
    async def fetch(number: int) -> str:
        await asyncio.sleep(0)
        return str(number)

    @flow
    async def total(count: int) -> int:
        texts = await asyncio.gather(*(submit(fetch, number) for number in range(count)))
        return sum(await asyncio.gather(*(submit(parse, text) for text in texts)))

    run = total(4).execute()
    assert run.return_value == 6
    assert [call.executor for call in run.flow_run.tasks] == ["asyncio"] * 4 + ["thread"] * 4


def test_a_task_for_each_item() -> None:
    """`map_tasks` submits some items ahead of whoever reads the results, so the items may be endless."""

    @task
    def square(number: int) -> int:
        return number**2

    @flow
    def squares(below: int) -> list[int]:
        return list(itertools.takewhile(lambda value: value < below, map_tasks(square, itertools.count())))

    assert squares(50).execute().return_value == [0, 1, 4, 9, 16, 25, 36, 49]


def test_worker_processes() -> None:
    """`use_executor` says where submitted tasks run; what they print in a worker process comes home."""

    @flow
    def count(ranges: list[range]) -> int:
        return sum(map_tasks(count_primes, ranges))

    with ProcessExecutor(2) as workers, use_executor(workers):
        run = count([range(2, 1_000), range(1_000, 2_000)]).execute()
    assert run.return_value == 303
    assert {call.executor for call in run.flow_run.tasks} == {"process"}
    printed = {(entry.message, entry.task_id) for entry in run.captured_logs() if entry.source == "stdout"}
    first, second = run.flow_run.tasks
    assert printed == {
        ("counting in range(2, 1000)", first.task_id),
        ("counting in range(1000, 2000)", second.task_id),
    }


def test_shared_data_is_a_snapshot_elsewhere() -> None:
    """In a worker process `flow_data` can be read and not written: the error says what to do."""

    @flow
    def work() -> int:
        return submit(limit).result()

    run = work()
    run.flow_data["limit"] = 10
    with ProcessExecutor(1) as workers, use_executor(workers), pytest.raises(RemoteDataError, match="Return the value"):
        run.execute()
    assert run.flow_data == {"limit": 10}


def test_a_failure_is_not_lost() -> None:
    """A flow that returns without having asked for a task that fails, fails with that task's exception."""

    @task
    def parse(text: str) -> int:
        return int(text)

    @flow
    def forgetful() -> str:
        submit(parse, "two")
        return "done"

    run = forgetful()
    with pytest.raises(ValueError, match="two"):
        run.execute()
    assert run.status == "failed"


def test_a_flow_ends_after_its_tasks() -> None:
    """A flow that fails cancels what it has submitted, and ends when that has ended."""

    @task
    async def wait_for_ever(started: asyncio.Event) -> None:
        started.set()
        await asyncio.Event().wait()

    @flow
    async def hurried() -> None:
        started = asyncio.Event()
        submit(wait_for_ever, started)
        await started.wait()
        raise ValueError("no time")

    run = hurried()
    with pytest.raises(ValueError, match="no time"):
        run.execute()
    assert [call.status for call in run.flow_run.tasks] == ["cancelled"]
