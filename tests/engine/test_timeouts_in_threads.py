"""A sync task with a timeout runs on a thread of the library, which is left behind at the deadline."""

import asyncio
import threading
from contextvars import ContextVar

import pytest

from flowscope import INJECTED, Flow, NoActiveFlowError, RunStatus, Task, TaskTimeoutError, current_task, task


@task
def child() -> None: ...


class Gate:
    """A sync task that waits until it is released, and then ends its thread."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.entered = threading.Event()
        self.thread: threading.Thread | None = None
        self.after: list[object] = []

    def wait(self) -> str:
        """Block."""
        self.thread = threading.current_thread()
        self.entered.set()
        self.release.wait(30)
        try:
            child()
        except NoActiveFlowError as error:
            self.after.append(error)
        return "too late"

    def end(self) -> None:
        """Let the thread go, and wait until it has gone."""
        self.release.set()
        self.entered.wait(30)
        assert self.thread is not None
        self.thread.join(30)


def test_a_sync_task_is_left_behind_at_its_deadline() -> None:
    """A late sync task goes on in its thread, which the record names while it runs; the flow does not wait."""
    gate = Gate()
    slow = task(timeout=0.02)(gate.wait)
    with Flow[None]() as made:
        with pytest.raises(TaskTimeoutError):
            slow()
        gate.entered.wait(30)
        assert gate.thread is not None
        assert made.flow_run.tasks[0].abandoned_thread == gate.thread.name
    assert made.succeeded
    record = made.flow_run.tasks[0]
    assert record.status is RunStatus.TIMED_OUT
    assert record.abandoned_thread == gate.thread.name
    assert gate.thread is not threading.current_thread()
    gate.end()
    after = made.flow_run.tasks[0]
    assert after.abandoned_thread is None
    assert after.return_value is None
    assert after.status is RunStatus.TIMED_OUT
    assert len(gate.after) == 1


def test_what_is_left_behind_still_belongs_to_its_running_flow() -> None:
    """While the flow runs on, a task called by the abandoned thread is recorded as a child of the timed-out one."""
    gate = Gate()
    slow = task(timeout=0.01)(gate.wait)
    with Flow[None]() as made:
        with pytest.raises(TaskTimeoutError):
            slow()
        gate.end()
    late, grandchild = made.flow_run.tasks
    assert late.status is RunStatus.TIMED_OUT
    assert grandchild.parent_task_id == late.task_id
    assert gate.after == []


def test_a_sync_task_in_time_gives_its_value() -> None:
    """A sync task with a timeout runs on a thread of the library, in the task's context, and gives the very value."""
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    variable.set("kept")
    value = object()

    @task(timeout=30)
    def quick(this_task: Task = INJECTED) -> tuple[object, str, int]:
        assert current_task() is this_task
        child()
        return value, variable.get(), threading.get_ident()

    with Flow[None]() as made:
        same, seen, thread = quick()
    assert same is value
    assert seen == "kept"
    assert thread != threading.get_ident()
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.COMPLETED] * 2
    assert made.flow_run.tasks[1].parent_task_id == made.flow_run.tasks[0].task_id
    assert made.flow_run.tasks[0].abandoned_thread is None


@pytest.mark.parametrize(
    "error",
    [
        ValueError("v"),
        KeyboardInterrupt("k"),
        SystemExit(1),
        StopIteration(5),
        asyncio.CancelledError("c"),
        TimeoutError("t"),
    ],
    ids=repr,
)
def test_what_a_timed_sync_task_raises_comes_back_as_itself(error: BaseException) -> None:
    """An exception raised on the thread propagates as the very object, interrupts and `StopIteration` included."""

    @task(timeout=30)
    def fails() -> None:
        raise error

    made = Flow[None]()
    with pytest.raises(type(error)) as caught, made:
        fails()
    assert caught.value is error
    expected = RunStatus.FAILED if isinstance(error, Exception) else RunStatus.CANCELLED
    assert made.flow_run.tasks[0].status is expected
    text = made.flow_run.tasks[0].error
    assert text is not None
    assert "in fails" in text.traceback


def test_the_remaining_time_ends_at_zero() -> None:
    """After the deadline, in the thread that was left behind, nothing remains: 0.0, and never less."""
    late: list[Task] = []
    entered, release = threading.Event(), threading.Event()

    @task(timeout=0.01)
    def slow(this_task: Task = INJECTED) -> None:
        late.append(this_task)
        entered.set()
        release.wait(30)

    with Flow[None](), pytest.raises(TaskTimeoutError):
        slow()
    entered.wait(30)
    assert late[0].remaining == 0.0
    release.set()
