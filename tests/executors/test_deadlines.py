"""Deadlines of submitted calls: from the start of each attempt, and nobody waits for who is late."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
    Executor,
    Flow,
    FlowConfig,
    ProcessExecutor,
    RunStatus,
    TaskTimeoutError,
    ThreadExecutor,
    current_task,
    flow,
    submit,
    task,
    use_executor,
)
from support.executors.gate import Address, Gate, pass_gate, pass_gate_async
from support.executors.task_forms import FORMS, PLACES, Tasks
from support.executors.tasks import add
from support.executors.waiting_tasks import expire

SINGLE: dict[str, Callable[[], Executor]] = {
    "thread": lambda: ThreadExecutor(1),
    "process": lambda: ProcessExecutor(1),
}
EVERY_SINGLE = pytest.mark.parametrize("make", SINGLE.values(), ids=SINGLE)


@task(timeout=3)
def brief() -> float | None:
    """It has three seconds."""
    return current_task().remaining


@task(timeout=3)
async def brief_async() -> float | None:
    """It has three seconds."""
    return current_task().remaining


@EVERY_SINGLE
@FORMS
def test_the_time_in_the_queue_does_not_count(make: Callable[[], Executor], tasks: Tasks, gate: Gate) -> None:
    """A call that waited for longer than it may run has all of its time when it starts."""
    own: Any = brief_async if tasks.suffix else brief
    with make() as executor, Flow[None]() as made, use_executor(executor):
        first = submit(tasks.hold, gate.address)
        (visitor,) = gate.wait_for()
        waiting = submit(own)
        expiring = submit(tasks.expire, gate.address)
        with pytest.raises(TimeoutError):
            expiring.result(0.4)
        assert {waiting.status, expiring.status} == {RunStatus.PENDING}
        visitor.let_go()
        first.result(20)
        remaining = waiting.result(20)
        assert remaining is not None
        assert 2 < remaining <= 3
        with pytest.raises(TaskTimeoutError):
            expiring.result(20)
    assert [one.status for one in made.flow_run.tasks] == [
        RunStatus.COMPLETED,
        RunStatus.COMPLETED,
        RunStatus.TIMED_OUT,
    ]


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_the_start_of_a_worker_does_not_count(method: Any) -> None:
    """A call with little time has it all, though its worker process takes longer to start."""
    with ProcessExecutor(1, start_method=method) as executor, Flow[None](), use_executor(executor):
        assert submit(quick_there).result(30) == "in time"


@task(timeout=0.25)
def quick_there() -> str:
    return "in time"


@pytest.mark.parametrize("place", ["thread", "asyncio"])
def test_the_thread_of_a_late_call_is_named_while_it_runs(place: Any, gate: Gate) -> None:
    """`abandoned_thread` names the thread that goes on, and nothing when it has ended; the flow waits for neither."""
    with Flow[None]() as made, use_executor(place):
        future = submit(expire, gate.address)
        (visitor,) = gate.wait_for()
        with pytest.raises(TaskTimeoutError):
            future.result(20)
        name = made.flow_run.tasks[0].abandoned_thread
        assert name is not None
    assert made.flow_run.tasks[0].abandoned_thread == name
    (thread,) = (one for one in threading.enumerate() if one.name == name)
    visitor.let_go()
    thread.join(20)
    assert made.flow_run.tasks[0].abandoned_thread is None


def test_what_a_late_thread_does_is_not_recorded(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    """What a thread does after it was left behind, within its flow, is of no task that has ended."""
    ended = threading.Event()

    @task(timeout=0.1)
    def late() -> str:
        try:
            pass_gate(gate.address)
            add(1)
            submit(add, 2).result()
            return "late"
        finally:
            ended.set()

    with Flow[None](flow_config=FlowConfig(raise_flow_error=False)) as made:
        future = submit(late)
        (visitor,) = gate.wait_for()
        assert isinstance(future.exception(20), TaskTimeoutError)
        before = made.flow_run.tasks[0]
        visitor.let_go()
        assert ended.wait(20)
        first = made.flow_run.tasks[0]
        assert (first.status, first.duration, first.return_value) == (before.status, before.duration, None)
    assert made.flow_run.tasks[0].status is RunStatus.TIMED_OUT
    assert all(one.end_time is not None for one in made.flow_run.tasks)


def test_a_late_thread_finds_no_flow_after_its_end(gate: Gate) -> None:
    """A thread that was left behind, and goes on after the flow, has no flow."""
    found: list[BaseException] = []
    ended = threading.Event()

    @task(timeout=0.1, raise_on_error=False)
    def late() -> None:
        try:
            pass_gate(gate.address)
            submit(add, 1)
        except BaseException as error:
            found.append(error)
        finally:
            ended.set()

    with Flow[None]() as made:
        submit(late)
        (visitor,) = gate.wait_for()
    visitor.let_go()
    assert ended.wait(20)
    assert [type(one).__name__ for one in found] == ["NoActiveFlowError"]
    assert len(made.flow_run.tasks) == 1


@task(timeout=0.2)
def inner_late(gate: Address) -> None:
    pass_gate(gate)


@task(timeout=0.2)
async def inner_late_async(gate: Address) -> None:
    await pass_gate_async(gate)


@task
def copes(gate: Address) -> str:
    """A nested task of it is late."""
    try:
        inner_late(gate)
    except TaskTimeoutError as error:
        return f"{error.task_name} was late"
    return "not reached"


@task
async def copes_async(gate: Address) -> str:
    """A nested task of it is late."""
    try:
        await inner_late_async(gate)
    except TaskTimeoutError as error:
        return f"{error.task_name} was late"
    return "not reached"


@PLACES
@pytest.mark.parametrize("coping", [copes, copes_async], ids=["sync", "async"])
def test_a_nested_task_is_late(place: Any, coping: Any, gate: Gate) -> None:
    """A nested task has its own deadline, wherever it runs, and its parent may cope."""
    with Flow[None]() as made, use_executor(place):
        assert submit(coping, gate.address).result(20).endswith("was late")
    outer, inner = made.flow_run.tasks
    assert (outer.status, inner.status) == (RunStatus.COMPLETED, RunStatus.TIMED_OUT)
    assert inner.error is not None
    assert inner.error.type == "TaskTimeoutError"
    assert 0.2 <= inner.duration < 10


def test_a_flow_does_not_wait_for_a_late_thread() -> None:
    """A flow whose only child was left behind ends, failed by the deadline that nobody asked about."""
    release = threading.Event()

    @task(timeout=0.1)
    def late() -> None:
        release.wait(30)

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def run() -> None:
        submit(late)

    made = run().execute()
    release.set()
    assert made.status is RunStatus.FAILED
    assert isinstance(made.flow_error, TaskTimeoutError)
    assert made.flow_run.duration < 10


@EVERY_SINGLE
def test_a_late_call_gives_its_place_back(make: Callable[[], Executor], gate: Gate) -> None:
    """A pool with one worker goes on after a call that was late, again and again."""
    with make() as executor, Flow[None]() as made, use_executor(executor):
        for number in range(4):
            future = submit(expire, gate.address)
            gate.wait_for()
            assert isinstance(future.exception(20), TaskTimeoutError)
            assert submit(add, number).result(20) == number + 10
    statuses = [one.status for one in made.flow_run.tasks]
    assert statuses == [RunStatus.TIMED_OUT, RunStatus.COMPLETED] * 4


@PLACES
@FORMS
def test_a_cancel_before_the_deadline(place: Any, tasks: Tasks, gate: Gate) -> None:
    """A call with a deadline that is cancelled before it is cancelled, not late, and not tried again."""
    own: Any = patient_async if tasks.suffix else patient
    with Flow[None]() as made, use_executor(place):
        future = submit(own, gate.address)
        gate.wait_for()
        assert future.cancel()
        with pytest.raises(asyncio.CancelledError):
            future.result(20)
    assert [(one.status, one.attempts) for one in made.flow_run.tasks] == [(RunStatus.CANCELLED, 1)]


@task(timeout=30, retries=3)
def patient(gate: Address) -> None:
    pass_gate(gate)


@task(timeout=30, retries=3)
async def patient_async(gate: Address) -> None:
    await pass_gate_async(gate)
