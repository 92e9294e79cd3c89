"""Executors of users: how the conformance suite takes them, in which order they may call, and what their mistakes do."""

import re
import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from flowscope import (
    EventType,
    Executor,
    Flow,
    FlowConfig,
    FlowEvent,
    NoActiveFlowError,
    RunStatus,
    TaskFuture,
    map_tasks,
    submit,
    task,
    use_executor,
)
from flowscope.executors import Job, Submission, ThreadExecutor
from support.executors.tasks import add, add_async
from support.executors.third_party import ThreadPerCall

TESTS = Path(__file__).parents[1]


def test_the_conformance_suite_takes_an_executor_by_name() -> None:
    """`pytest tests/executors --executor package.module:factory` runs the conformance suite over it, and nothing else."""
    wanted = "support.executors.third_party:ThreadPerCall"
    command = [sys.executable, "-m", "pytest", str(TESTS / "executors"), "--executor", wanted, "-v", "-n", "0"]
    done = subprocess.run(
        [*command, "-k", "test_values_come_back", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        cwd=TESTS.parent,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if "::" in line]
    assert done.returncode == 0, done.stdout
    assert lines
    assert all(wanted in line and "PASSED" in line for line in lines)
    left_out = re.search(r"(\d+) deselected", done.stdout)
    assert left_out is not None
    assert 100 < int(left_out[1]) < 500


class Backwards(ThreadPerCall):
    """It collects calls, and makes them last to first, when it is told to."""

    name = "backwards"

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Submission] = []

    def start(self, submission: Submission, /) -> None:
        self.jobs.append(submission)

    def make(self) -> None:
        """Make the calls."""
        while self.jobs:
            super().start(self.jobs.pop())


def test_calls_may_be_made_in_any_order() -> None:
    """An executor that makes calls when and in which order it likes is recorded as it was submitted to."""
    executor = Backwards()
    with Flow[None]() as made, use_executor(executor):
        futures = [submit(add, number) for number in range(5)]
        assert [future.status for future in futures] == [RunStatus.PENDING] * 5
        assert [task.end_time for task in made.flow_run.tasks] == [None] * 5
        executor.make()
        assert [future.result() for future in futures] == [10, 11, 12, 13, 14]
    assert [task.return_value for task in made.flow_run.tasks] == [10, 11, 12, 13, 14]
    assert {task.executor for task in made.flow_run.tasks} == {"backwards"}


def test_what_start_raises_is_the_failure_of_the_task() -> None:
    """When an executor refuses a call, the task fails with its exception, before it has started."""

    class Full(ThreadPerCall):
        def start(self, submission: Submission, /) -> None:
            raise BlockingIOError("no room")

    with Flow[None]() as made, use_executor(Full()):
        future = submit(add, 1)
        assert future.done()
        with pytest.raises(BlockingIOError, match="no room"):
            future.result()
    (task,) = made.flow_run.tasks
    assert (task.status, task.attempts) == (RunStatus.FAILED, 0)
    assert made.status is RunStatus.COMPLETED


def test_an_unread_refusal_fails_the_flow() -> None:
    """A refusal that nobody asks for is a failure like any."""

    class Full(ThreadPerCall):
        def start(self, submission: Submission, /) -> None:
            raise BlockingIOError("no room")

    def body() -> None:
        submit(add, 1)

    with use_executor(Full()), pytest.raises(BlockingIOError, match="no room"):
        Flow[None]().setup(body).execute()


def test_an_interrupt_in_start_goes_through() -> None:
    """A `KeyboardInterrupt` while a call is handed over ends the flow, and the call has an end."""

    class Interrupted(ThreadPerCall):
        def start(self, submission: Submission, /) -> None:
            raise KeyboardInterrupt

    def body() -> None:
        submit(add, 1)

    made = Flow[None]().setup(body)
    with use_executor(Interrupted()), pytest.raises(KeyboardInterrupt):
        made.execute()
    assert [task.status for task in made.flow_run.tasks] == [RunStatus.CANCELLED]
    assert made.status is RunStatus.CANCELLED


@pytest.mark.parametrize("task", [add, add_async], ids=["sync", "async"])
def test_a_call_that_is_run_twice_is_made_once(task: Any) -> None:
    """To run a call again, after its end or meanwhile in another thread, does nothing."""
    stops: list[FlowEvent] = []

    class Twice(ThreadPerCall):
        def start(self, submission: Submission, /) -> None:
            first, second = (threading.Thread(target=submission.run) for _ in range(2))
            first.start()
            second.start()
            first.join()
            second.join()
            submission.run()

    with Flow[None]() as made, use_executor(Twice()):
        made.add_listener(stops.append, EventType.TASK_STOP)
        assert submit(task, 1).result() == 11
    assert len(stops) == 1
    assert [one.attempts for one in made.flow_run.tasks] == [1]


def test_a_call_may_be_made_at_once() -> None:
    """An executor that makes the call inside `start`, in the submitter's own thread, works for sync tasks."""

    class AtOnce(ThreadPerCall):
        name = "at once"

        def start(self, submission: Submission, /) -> None:
            submission.run()

    with Flow[None]() as made, use_executor(AtOnce()):
        future = submit(add, 1)
        assert future.done()
        assert future.result() == 11
        assert submit(add_async, 2).result() == 12
    assert [task.executor for task in made.flow_run.tasks] == ["at once"] * 2


async def test_a_call_made_at_once_leaves_the_context_alone() -> None:
    """A call made inside `start` of an async flow does not make the flow's code part of the task."""

    class AtOnce(ThreadPerCall):
        def start(self, submission: Submission, /) -> None:
            submission.run()

    async with Flow[None]() as made:
        with use_executor(AtOnce()):
            assert await submit(add, 1) == 11
            assert await submit(add_async, 1) == 11
            print("by the flow")
    (entry,) = (entry for entry in made.flow_run.logs if entry.source == "stdout")
    assert entry.task_id is None


def test_a_call_that_is_made_after_the_flow_has_ended_is_not_made() -> None:
    """A call that was cancelled by its flow's end, and is run later, is not made."""
    executor = Backwards()
    called: list[int] = []

    @task
    def note() -> None:
        called.append(1)

    def body() -> TaskFuture[None]:
        submit(note)
        raise LookupError

    made = Flow[Any]().setup(body)
    with use_executor(executor), pytest.raises(LookupError):
        made.execute()
    with executor:
        executor.make()
    assert called == []
    assert [task.status for task in made.flow_run.tasks] == [RunStatus.CANCELLED]


def test_an_executor_has_to_say_what_it_does() -> None:
    """An executor without its methods cannot be made."""

    class Half(Executor):
        name = "half"

    half: Any = Half
    with pytest.raises(TypeError, match="abstract"):
        half()


def test_submitting_outside_a_flow_starts_nothing() -> None:
    """Where no flow is running, a submit raises before the executor hears of it."""
    executor = Backwards()
    with use_executor(executor), pytest.raises(NoActiveFlowError, match="task 'add'"):
        submit(add, 1)
    assert executor.jobs == []


def test_an_executor_without_workers_yet_maps() -> None:
    """Where an executor has no workers yet, `map_tasks` submits one call at a time rather than none."""

    class Empty(ThreadPerCall):
        @property
        def workers(self) -> int:
            return 0

    with Flow[None](), use_executor(Empty()):
        assert list(map_tasks(add, [1, 2, 3])) == [11, 12, 13]
        assert sorted(map_tasks(add, [1, 2, 3]).as_completed()) == [11, 12, 13]


def test_an_executor_without_a_name_leaves_no_trace() -> None:
    """An executor that lacks its name is refused, or goes by that of its class, and leaves no task half begun."""

    class Nameless(Executor):
        @property
        def workers(self) -> int:
            return 1

        def start(self, submission: Submission, /) -> None:
            submission.run()

        def close(self, *, wait: bool = True) -> None: ...

    with Flow[None]() as made:
        try:
            with use_executor(Nameless()):
                assert submit(add, 1).result() == 11
        except (AttributeError, TypeError) as refused:
            assert "name" in str(refused)
    assert {one.status for one in made.flow_run.tasks} <= {RunStatus.COMPLETED}


class Earlier(ThreadExecutor):
    """An executor that was written when `owns_current_thread` was `holds`, and `abandon` was `leave_behind`."""

    def __init__(self) -> None:
        super().__init__(2)
        self.abandoned: list[threading.Thread] = []

    def start(self, job: Job) -> None:
        super().start(job)

    def holds(self) -> bool:
        return super().owns_current_thread()

    def leave_behind(self, thread: threading.Thread) -> None:
        self.abandoned.append(thread)
        super().abandon(thread)


def test_an_executor_with_the_earlier_names_of_its_methods_is_asked_all_the_same() -> None:
    """Methods with the names `holds` and `leave_behind` are called as `owns_current_thread` and `abandon` are."""
    executor = Earlier()
    started, release = threading.Event(), threading.Event()

    @task
    def waits() -> None:
        started.set()
        release.wait()

    with executor, Flow[None](), use_executor(executor):
        future = submit(waits)
        started.wait()
        future.cancel()
        release.set()
    assert len(executor.abandoned) == 1


@pytest.mark.parametrize("retries", [0, 2])
def test_a_call_that_an_executor_refuses_fails_with_its_error(retries: int) -> None:
    """What `start` raises is the error of the task, also where attempts are left: none has been made."""

    class Refusing(ThreadPerCall):
        def start(self, submission: Submission, /) -> None:
            raise OSError("no room")

    @task(retries=retries)
    def never() -> int:
        return 1

    with Flow[None](flow_config=FlowConfig(raise_flow_error=False)) as made, use_executor(Refusing()):
        future = submit(never)
        with pytest.raises(OSError, match="no room"):
            future.result()
    (call,) = made.flow_run.tasks
    assert (call.status, call.attempts) == (RunStatus.FAILED, 0)


def test_a_call_that_is_cancelled_before_its_start_is_not_retried() -> None:
    """A call with attempts left that is cancelled while it waits ends as cancelled."""
    executor = Backwards()

    @task(retries=2, retry_on=Exception)
    def never() -> int:
        return 1

    with Flow[None]() as made, use_executor(executor):
        future = submit(never)
        assert future.cancel()
        with pytest.raises(CancelledError):
            future.result()
    assert made.flow_run.tasks[0].status == RunStatus.CANCELLED
