"""Async listeners are awaited, in order, by the end of the flow."""

import asyncio
from collections.abc import Callable

import pytest

from flowscope import (
    Flow,
    FlowEvent,
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
