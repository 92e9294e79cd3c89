"""`with flow:` and `async with flow:`: the block is the run."""

import asyncio
from contextlib import AsyncExitStack, ExitStack
from types import TracebackType
from typing import Any, Self

import pytest

from flowscope import (
    AlreadyRunningError,
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    NoActiveFlowError,
    NotExecutedError,
    RunStatus,
    current_flow,
    current_flow_or_none,
    flow,
    task,
)


@task
def double(x: int) -> int:
    return 2 * x


@task
async def double_later(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


@flow
def doubled(x: int) -> int:
    return double(x)


def test_a_block_needs_no_setup_and_is_a_run() -> None:
    """Tasks called in the block belong to the flow, which runs in it and is completed after it."""
    with Flow[None](flow_name="scratch", tags=("a",)) as made:
        assert current_flow() is made
        assert made.status is RunStatus.RUNNING
        with pytest.raises(NotExecutedError):
            _ = made.return_value
        assert double(2) == 4
        made.log_info("inside")
        made.flow_data["kept"] = 1
    assert current_flow_or_none() is None
    record = made.flow_run
    assert (record.status, record.flow_name, record.tags) == (RunStatus.COMPLETED, "scratch", ("a",))
    assert [t.task_name for t in record.tasks] == ["double"]
    assert "inside" in [e.message for e in record.logs]
    assert record.end_time is not None
    assert made.return_value is None
    assert made.succeeded
    assert made.flow_data == {"kept": 1}


async def test_an_async_block_records_concurrent_tasks() -> None:
    """In `async with flow:` gathered tasks, and sync ones, belong to the flow."""
    async with Flow[None]() as made:
        double(1)
        assert await asyncio.gather(*(double_later(n) for n in range(20))) == [2 * n for n in range(20)]
    assert made.succeeded
    assert len(made.executed_tasks) == 21


def test_a_block_does_not_run_the_target() -> None:
    """A flow that was set up runs nothing in its block unless it is executed there."""
    ran: list[int] = []
    with Flow[None]().setup(ran.append, 1) as made:
        pass
    assert ran == []
    assert made.succeeded


@pytest.mark.parametrize("raise_flow_error", [True, False])
def test_an_exception_of_the_block_always_propagates(raise_flow_error: bool) -> None:
    """What the block raises propagates as the very object, whatever the config, and the run is failed by it."""
    boom = ValueError("boom")
    made = Flow[None](flow_config=FlowConfig(raise_flow_error=raise_flow_error))
    with pytest.raises(ValueError) as caught, made:
        double(1)
        raise boom
    assert caught.value is boom
    assert made.flow_error is boom
    assert made.status is RunStatus.FAILED
    record = made.flow_run
    assert record.error is not None
    assert record.error.message == "boom"
    assert len(record.tasks) == 1
    with pytest.raises(ValueError):
        _ = made.return_value
    assert current_flow_or_none() is None


async def test_an_exception_of_an_async_block_propagates() -> None:
    """What an async block raises propagates as the very object, also where `raise_flow_error` is off."""
    boom = ValueError("boom")
    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False))
    with pytest.raises(ValueError) as caught:
        async with made:
            raise boom
    assert caught.value is boom
    assert made.flow_error is boom


async def test_an_interrupted_block_is_cancelled() -> None:
    """A cancellation or interrupt of the block passes through, and the record says `cancelled`."""
    inside, made = asyncio.Event(), Flow[None]()

    async def work() -> None:
        async with made:
            inside.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await inside.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert made.status is RunStatus.CANCELLED
    assert isinstance(made.flow_error, asyncio.CancelledError)
    other = Flow[None]()
    with pytest.raises(KeyboardInterrupt), other:
        raise KeyboardInterrupt
    assert other.status is RunStatus.CANCELLED


def test_executing_inside_the_block_is_the_run() -> None:
    """`execute` inside the block makes that execution the run: one record, with its value and its single start."""
    events: list[FlowEvent] = []
    made = doubled(21)
    made.add_listener(events.append, EventType.FLOW_START, EventType.FLOW_STOP)
    with made as same:
        flow_id = made.flow_id
        assert same.execute() is made
        assert made.succeeded
        assert made.return_value == 42
    assert made.return_value == 42
    assert made.flow_id == made.flow_run.flow_id == flow_id
    assert [t.task_name for t in made.flow_run.tasks] == ["double"]
    assert [e.event_type for e in events] == [EventType.FLOW_START, EventType.FLOW_STOP]


def test_after_the_execution_inside_it_the_block_is_outside() -> None:
    """Once the execution in the block has ended, the run has: a task called in the rest of the block has no flow."""
    with doubled(1) as made:
        made.execute()
        with pytest.raises(NoActiveFlowError):
            double(1)
    assert len(made.executed_tasks) == 1
    assert made.succeeded


def test_an_exception_after_the_execution_propagates_and_changes_nothing() -> None:
    """What the block raises after its execution propagates; the run that has ended stays as it is."""
    made = doubled(1)
    with pytest.raises(ValueError), made:
        made.execute()
        raise ValueError
    assert made.return_value == 2
    assert made.flow_run.error is None


async def test_awaiting_inside_an_async_block_is_the_run() -> None:
    """`await flow` inside its `async with` block is the run; a failing one raises, and the error is the flow's."""

    @flow
    async def later(x: int) -> int:
        return await double_later(x)

    async with later(5) as made:
        assert (await made).return_value == 10
    assert made.return_value == 10
    assert len(made.executed_tasks) == 1


def test_a_failing_execution_inside_the_block_raises() -> None:
    """An execution that fails in the block propagates through it; the run is failed, with one record."""
    boom = ValueError("boom")

    def fails() -> None:
        raise boom

    made = Flow[None]().setup(fails)
    with pytest.raises(ValueError) as caught, made:
        made.execute()
    assert caught.value is boom
    assert made.flow_error is boom
    assert made.status is RunStatus.FAILED


def test_a_failing_execution_inside_the_block_may_be_quiet() -> None:
    """With `raise_flow_error=False` the failed execution does not leave the block, and the run stays failed."""

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def fails() -> None:
        raise ValueError("boom")

    with fails() as made:
        made.execute()
    assert made.status is RunStatus.FAILED


def test_a_flow_cannot_be_entered_twice_at_once() -> None:
    """Entering a flow inside its own block raises `AlreadyRunningError`; the outer block goes on unharmed."""
    with Flow[None]() as made:
        with pytest.raises(AlreadyRunningError), made:
            pytest.fail("entered")
        assert current_flow() is made
        double(1)
    assert made.succeeded
    assert len(made.executed_tasks) == 1


def test_blocks_nest() -> None:
    """A block inside another is a nested flow with a record of its own, and leaving it leads back to the outer one."""
    with Flow[None](flow_name="outer") as outer:
        with Flow[None](flow_name="inner") as inner:
            double(1)
        double(2)
        double(3)
    assert inner.flow_run.parent_flow_id == outer.flow_id
    assert (len(inner.executed_tasks), len(outer.executed_tasks)) == (1, 2)


async def test_blocks_work_in_exit_stacks() -> None:
    """Flows entered by exit stacks end in reverse order, and an exception reaches each of them."""
    with ExitStack() as stack:
        flows = [stack.enter_context(Flow[None]()) for _ in range(3)]
        double(1)
    assert [len(made.executed_tasks) for made in flows] == [0, 0, 1]
    assert all(made.succeeded for made in flows)
    failing: list[Flow[Any]] = []
    with pytest.raises(ValueError):
        async with AsyncExitStack() as async_stack:
            failing.extend([await async_stack.enter_async_context(Flow[None]()) for _ in range(2)])
            raise ValueError
    assert [made.status for made in failing] == [RunStatus.FAILED] * 2


class Connected(Flow[str]):
    """A flow that holds a resource while it is entered."""

    opened: list[str] = []

    def run(self) -> str:
        return f"run with {self.opened[-1]}"

    def __enter__(self) -> Self:
        self.opened.append("sync")
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        self.opened.append("closed")

    async def __aenter__(self) -> Self:
        self.opened.append("async")
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, traceback)
        self.opened.append("closed later")


async def test_subclasses_may_extend_entering_and_leaving() -> None:
    """What a subclass opens in `__enter__` or `__aenter__` is there in the block, and closed by its exits."""
    with Connected() as made:
        assert made.execute().return_value == "run with sync"
    assert made.opened == ["sync", "closed"]
    async with Connected() as later:
        assert (await later).return_value == "run with async"
    assert later.opened == ["async", "closed later"]
    assert later.flow_name == "Connected"
    with pytest.raises(ValueError), Connected() as failing:
        raise ValueError
    assert failing.opened == ["sync", "closed"]
    assert failing.status is RunStatus.FAILED
