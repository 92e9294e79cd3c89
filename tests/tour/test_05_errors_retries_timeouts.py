"""When things go wrong: the original exception, failures that are tolerated, retries and deadlines."""

import asyncio
import threading

import pytest

from flowscope import FlowConfig, TaskTimeoutError, current_task, flow, task


def test_the_original_exception_comes_back() -> None:
    """What a task raises arrives as the very object, with a note that says where it happened."""
    broken = ValueError("no such row")

    @task
    def lookup(row: int) -> int:
        raise broken

    @flow
    def report() -> int:
        return lookup(7)

    run = report()
    with pytest.raises(ValueError, match="no such row") as caught:
        run.execute()
    assert caught.value is broken
    assert run.flow_error is broken
    assert broken.__notes__ == [f"in task 'lookup' ({run.executed_tasks[0].task_id}) of flow 'report' ({run.flow_id})"]
    assert run.status == "failed"


def test_a_failed_run_is_recorded_to_its_end() -> None:
    """The record of a failed run has the error as text, the end of the failed task, and all that came before."""

    @task
    def parse(text: str) -> int:
        return int(text)

    @flow
    def total() -> int:
        return parse("1") + parse("two")

    run = total()
    with pytest.raises(ValueError, match="invalid literal"):
        run.execute()
    record = run.flow_run
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.type == "ValueError"
    assert 'return parse("1") + parse("two")' in record.error.traceback
    assert [call.status for call in record.tasks] == ["completed", "failed"]
    assert record.tasks[1].end_time is not None


def test_a_flow_can_keep_its_error_to_itself() -> None:
    """With `raise_flow_error=False`, `execute()` returns and the flow says whether it succeeded."""

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def total(texts: list[str]) -> int:
        return sum(int(text) for text in texts)

    run = total(["1", "two"]).execute()
    assert not run.succeeded
    assert isinstance(run.flow_error, ValueError)
    with pytest.raises(ValueError, match="two"):
        _ = run.return_value


def test_a_tolerant_task_returns_none() -> None:
    """With `raise_on_error=False` a failing task is logged, gives None, and the flow goes on to complete."""

    @task(raise_on_error=False)
    def parse(text: str) -> int:
        return int(text)

    @flow
    def total(texts: list[str]) -> int:
        return sum(number for text in texts if (number := parse(text)) is not None)

    run = total(["1", "two", "3"]).execute()
    assert run.return_value == 4
    assert run.status == "completed"
    assert [call.status for call in run.flow_run.tasks] == ["completed", "failed", "completed"]


def test_a_failed_task_is_tried_again() -> None:
    """`retries` is the number of extra attempts; the call has one record, which counts them."""

    @task(retries=2, retry_on=ConnectionError)
    def fetch() -> str:
        if current_task().attempt < 3:
            raise ConnectionError("try again")
        return "page"

    @flow
    def crawl() -> str:
        return fetch()

    run = crawl().execute()
    assert run.return_value == "page"
    (call,) = run.flow_run.tasks
    assert (call.status, call.attempts, call.error) == ("completed", 3, None)
    assert [entry.message for entry in run.captured_logs() if entry.level == "WARNING"] == [
        "task 'fetch': attempt 1 of 3 failed, next in 0 s: ConnectionError: try again",
        "task 'fetch': attempt 2 of 3 failed, next in 0 s: ConnectionError: try again",
    ]


def test_an_async_task_is_cancelled_at_its_deadline() -> None:
    """A `timeout` is in seconds, per attempt; an async task that passes it is cancelled."""

    @task(timeout=0.01)
    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    @flow
    async def patient() -> None:
        await wait_for_ever()

    run = patient()
    with pytest.raises(TaskTimeoutError, match=r"did not end within 0\.01 s"):
        run.execute()
    assert run.flow_run.tasks[0].status == "timed_out"


def test_a_sync_task_is_left_behind_at_its_deadline() -> None:
    """A sync task with a `timeout` runs in a thread; at the deadline the flow goes on without it."""
    release = threading.Event()

    @task(timeout=0.01, raise_on_error=False)
    def wait_for_release() -> str:
        release.wait()
        return "released"

    @flow
    def impatient() -> str:
        return wait_for_release() or "gave up"

    run = impatient().execute()
    assert run.return_value == "gave up"
    (call,) = run.flow_run.tasks
    assert call.status == "timed_out"
    assert call.abandoned_thread is not None
    release.set()
