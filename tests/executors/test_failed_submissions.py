"""What a failure of a submitted task is to its flow, and a failing flow to what it has submitted."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
    Flow,
    FlowConfig,
    RunStatus,
    TaskFuture,
    submit,
    task,
    use_executor,
)
from support.executors.gate import Gate
from support.executors.structures import BLOCKS, run, statuses
from support.executors.task_forms import FORMS, PLACES, Tasks
from support.executors.tasks import Crash, crash, crash_async, tolerated
from support.executors.third_party import ThreadPerCall
from support.executors.waiting_tasks import hold, hold_async, hold_then_crash


@BLOCKS
@PLACES
@FORMS
def test_a_failing_flow_cancels_its_children(block: str, place: Any, tasks: Tasks, gate: Gate) -> None:
    """A flow that raises cancels what runs and what waits, and raises its own exception."""
    own = LookupError("the flow's own")

    async def body() -> None:
        for name in "abcdefgh":
            submit(tasks.hold, gate.address, name)
        raise own

    if "with" in block:
        with pytest.raises(LookupError) as caught:
            run(block, body, place)
        assert caught.value is own
    else:
        made = run(block, body, place)
        assert made.flow_error is own
        assert made.status is RunStatus.FAILED
        assert statuses(made) == [RunStatus.CANCELLED] * 8


@BLOCKS
@PLACES
@FORMS
def test_an_unread_failure_fails_the_flow(block: str, place: Any, tasks: Tasks) -> None:
    """A failure that nobody asked for is that of the flow, as the very exception of the task."""
    kept: list[TaskFuture[Any]] = []

    async def body() -> None:
        kept.append(submit(tasks.crash, "unread"))
        submit(tasks.add, 1)

    if "with" in block:
        with pytest.raises(Crash) as caught:
            run(block, body, place)
        error: BaseException | None = caught.value
    else:
        made = run(block, body, place)
        assert made.status is RunStatus.FAILED
        error = made.flow_error
    assert isinstance(error, Crash)
    assert error is kept[0].exception()
    assert len(error.__notes__) == 1


@BLOCKS
def test_the_first_unread_failure_counts(block: str, gate: Gate) -> None:
    """Of several unread failures that of the task submitted first is the flow's, also if it came last."""
    kept: list[TaskFuture[Any]] = []
    last = threading.Event()

    async def body() -> None:
        kept.append(submit(hold_then_crash, gate.address, "first"))
        kept.append(submit(crash, "second"))
        (visitor,) = gate.wait_for()
        with pytest.raises(TimeoutError):
            kept[0].result(0)
        visitor.let_go()
        last.set()

    with pytest.raises(Crash) as caught:
        run(block, body, ThreadPerCall(), raises=True)
    assert caught.value is kept[0].exception()
    assert caught.value.reason == "first"


@PLACES
@FORMS
def test_an_unread_failure_is_raised_as_the_config_says(place: Any, tasks: Tasks) -> None:
    """With `raise_flow_error` the unread failure comes out of `execute`, and is the flow's error."""

    def body() -> None:
        submit(tasks.crash, "unread")

    made = Flow[None]().setup(body)
    with use_executor(place), pytest.raises(Crash) as caught:
        made.execute()
    assert made.flow_error is caught.value
    with pytest.raises(Crash):
        _ = made.return_value


READERS: dict[str, Callable[[TaskFuture[Any]], object]] = {
    "exception": lambda future: future.exception(),
    "result": lambda future: pytest.raises(Crash, future.result),
    "exception with timeout": lambda future: future.exception(30),
}


@BLOCKS
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_failure_that_was_read_does_not_fail_the_flow(block: str, read: Callable[[TaskFuture[Any]], object]) -> None:
    """Whoever asks for a failure, by `exception` or `result`, has taken it."""

    async def body() -> str:
        read(submit(crash, "read"))
        return "went on"

    made = run(block, body)
    assert made.status is RunStatus.COMPLETED
    assert statuses(made) == [RunStatus.FAILED]


async def test_a_failure_that_was_awaited_does_not_fail_the_flow() -> None:
    """Whoever awaits a failed task has taken its failure, also within `gather`."""
    async with Flow[None]() as made:
        with pytest.raises(Crash):
            await submit(crash_async, "read")
        found = await asyncio.gather(submit(crash_async, "a"), submit(crash, "b"), return_exceptions=True)
        assert [type(one) for one in found] == [Crash, Crash]
    assert made.status is RunStatus.COMPLETED


def test_asking_too_early_does_not_read_the_failure(gate: Gate) -> None:
    """A `result` that timed out, or a look at `done` and `status`, has not taken the failure."""

    def body() -> None:
        future = submit(hold_then_crash, gate.address, "unread")
        (visitor,) = gate.wait_for()
        with pytest.raises(TimeoutError):
            future.result(0)
        visitor.let_go()
        looked = future.done(), future.status
        assert looked[1] in {RunStatus.RUNNING, RunStatus.FAILED}

    with pytest.raises(Crash):
        Flow[None]().setup(body).execute()


@PLACES
@FORMS
def test_a_tolerated_failure_does_not_fail_the_flow(place: Any, tasks: Tasks) -> None:
    """An unread failure of a task with `raise_on_error=False` leaves the flow completed."""

    def body() -> None:
        submit(tasks.tolerated, "tolerated")

    with use_executor(place):
        made = Flow[None]().setup(body).execute()
    assert made.status is RunStatus.COMPLETED
    assert statuses(made) == [RunStatus.FAILED]


def test_an_unread_failure_of_a_child_of_a_child_fails_the_flow() -> None:
    """What a task submits and does not ask for is the flow's business."""

    @task
    def parent() -> None:
        submit(crash, "unread")

    def body() -> None:
        submit(parent).result()

    with pytest.raises(Crash, match="unread"):
        Flow[None]().setup(body).execute()


def test_a_child_that_fails_while_it_is_cancelled_does_not_hide_the_failure() -> None:
    """A flow that fails keeps its own error when a child, being cancelled, fails with another."""
    started = asyncio.Event()

    @task
    async def breaks() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise Crash("on the way out", 1)

    async def body() -> None:
        submit(breaks)
        await started.wait()
        raise LookupError("own")

    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(body).execute()
    assert isinstance(made.flow_error, LookupError)
    assert statuses(made) == [RunStatus.FAILED]


def test_a_second_run_starts_without_children() -> None:
    """An unread failure of one run is not that of the next."""
    fails = [True, False]

    def body() -> str:
        submit(crash if fails.pop(0) else tolerated, "unread")
        return "done"

    made = Flow[str](flow_config=FlowConfig(raise_flow_error=False)).setup(body)
    assert made.execute().status is RunStatus.FAILED
    assert made.execute().status is RunStatus.COMPLETED
    assert len(made.flow_run.tasks) == 1


def test_hundreds_of_children_are_cancelled(gate: Gate) -> None:
    """Nothing stays open when a flow fails with hundreds of children, most of them waiting."""

    def body() -> None:
        for number in range(300):
            submit(hold, gate.address, str(number))
        for _ in range(5):
            submit(hold_async, gate.address)
        raise LookupError

    with pytest.raises(LookupError):
        Flow[None]().setup(body).execute()
