"""Async listeners are awaited, in order, by the end of the flow."""

import asyncio
import gc
from collections.abc import Callable

import pytest

from flowscope import (
    Flow,
    FlowEvent,
    RunStatus,
    flow,
    flow_events,
    task,
)


@task
def work() -> None: ...


@flow
def working() -> None:
    work()


@flow
async def working_async() -> None:
    work()
    await asyncio.sleep(0)


FOUR = ["flow_start", "task_start", "task_stop", "flow_stop"]


@pytest.mark.parametrize("made", [working, working_async])
def test_async_listeners_are_awaited_in_order(made: Callable[[], Flow[None]]) -> None:
    """When execute() returns, an async listener has been awaited for every event, one after the other."""
    heard: list[str] = []

    async def listen(event: FlowEvent) -> None:
        heard.append(f"begin {event.event_type.value}")
        await asyncio.sleep(0)
        heard.append(f"end {event.event_type.value}")

    with flow_events.subscribe(listen):
        made().execute()
    assert heard == [f"{step} {kind}" for kind in FOUR for step in ("begin", "end")]


@pytest.mark.parametrize("made", [working, working_async])
@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_async_listeners_in_a_running_loop(made: Callable[[], Flow[None]]) -> None:
    """They are awaited too where a loop runs: after execute() of a sync or async flow, and after await and blocks."""
    heard: list[str] = []

    async def listen(event: FlowEvent) -> None:
        await asyncio.sleep(0)
        heard.append(event.event_type.value)

    with flow_events.subscribe(listen):
        made().execute()
        assert heard == FOUR
        await made()
        assert heard == FOUR * 2
        with Flow[None]():
            work()
        assert heard == FOUR * 3
        async with Flow[None]():
            work()
        assert heard == FOUR * 4


async def test_an_async_listener_runs_in_the_loop_of_an_awaited_flow() -> None:
    """`await flow` awaits its listeners in the same loop, so they may use what belongs to it."""
    received: asyncio.Queue[FlowEvent] = asyncio.Queue()
    loops: set[object] = set()

    async def listen(event: FlowEvent) -> None:
        loops.add(asyncio.get_running_loop())
        await received.put(event)

    with flow_events.subscribe(listen):
        await working_async()
    assert received.qsize() == 4
    assert loops == {asyncio.get_running_loop()}


@pytest.mark.parametrize("fails", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
def test_async_listeners_hear_the_end_of_a_bad_run(fails: type[BaseException]) -> None:
    """A run that fails or is interrupted has its listeners awaited as well."""
    heard: list[str] = []

    async def listen(event: FlowEvent) -> None:
        heard.append(event.event_type.value)

    @flow
    def failing() -> None:
        raise fails

    with flow_events.subscribe(listen), pytest.raises(fails):
        failing().execute()
    assert heard == ["flow_start", "flow_message", "flow_stop"]


def test_a_caller_cancelled_while_listeners_are_awaited_has_a_whole_record() -> None:
    """Giving up the wait for a slow listener cancels the caller, not the run, and leaves nothing unawaited behind."""
    heard: list[str] = []

    async def slow(event: FlowEvent) -> None:
        heard.append(event.event_type.value)
        entered.set()
        await asyncio.Event().wait()

    async def give_up(made: Flow[None]) -> None:
        running = asyncio.create_task(made.execute_async())
        await entered.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    made = working_async()
    entered = asyncio.Event()
    with flow_events.subscribe(slow):
        asyncio.run(give_up(made))
    assert made.status is RunStatus.COMPLETED
    assert made.flow_run.end_time is not None
    assert heard[0] == "flow_start"
    del made
    gc.collect()


def test_async_listeners_of_nested_flows_are_awaited_by_each_end() -> None:
    """The listeners of an inner flow have heard its stop before the outer flow goes on."""
    heard: list[str] = []

    async def listen(event: FlowEvent) -> None:
        await asyncio.sleep(0)
        heard.append(f"{event.event_data.flow_name} {event.event_type.value}")

    @flow
    async def outer() -> list[str]:
        await working_async()
        return heard[:]

    with flow_events.subscribe(listen):
        run = outer().execute()
    assert run.return_value == [f"working_async {kind}" for kind in FOUR]
    assert heard[len(FOUR) :] == ["outer flow_start", "outer new_result", "outer flow_message", "outer flow_stop"]
