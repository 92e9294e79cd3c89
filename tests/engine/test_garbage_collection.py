"""Finished flows are collected, and leave no growth behind."""

import asyncio
import contextvars
import gc
import tracemalloc
import weakref
from typing import Any

import pytest

from flowscope import (
    Flow,
    FlowConfig,
    bind_context,
    flow,
    flow_events,
    task,
)


@task
def note() -> None: ...


def unreferenced(reference: weakref.ref[Any]) -> bool:
    gc.collect()
    return reference() is None


async def test_nothing_that_outlives_a_flow_keeps_it_alive() -> None:
    """A stray asyncio task, a bound function and a copied context live on, and the finished flow is collected."""
    resume, reached = asyncio.Event(), asyncio.Event()
    left: list[object] = []

    @task
    async def lingering() -> None:
        reached.set()
        await resume.wait()

    @flow
    async def source() -> None:
        left.append(asyncio.create_task(lingering()))
        left.append(bind_context(note))
        left.append(contextvars.copy_context())
        await reached.wait()

    async def run_it() -> weakref.ref[Any]:
        return weakref.ref(await source())

    reference = await run_it()
    assert unreferenced(reference)
    stray = left[0]
    assert isinstance(stray, asyncio.Task)
    resume.set()
    await stray


@pytest.mark.parametrize("fails", [False, True], ids=["completed", "failed"])
def test_a_finished_flow_is_collected(fails: bool) -> None:
    """Neither listeners, a failure, prints, logs nor events keep a finished flow alive."""
    events: list[object] = []

    @flow(flow_config=FlowConfig(capture_events=True, raise_flow_error=False))
    def busy() -> None:
        print("partial", end="")
        note()
        if fails:
            raise ValueError

    def run_it() -> weakref.ref[Any]:
        made = busy()
        made.add_listener(events.append)
        return weakref.ref(made.execute())

    with flow_events.subscribe(events.append):
        reference = run_it()
        assert unreferenced(reference)
    assert events


def test_a_block_is_collected() -> None:
    """A flow that ran as a `with` block is collected like any other."""

    def run_it() -> weakref.ref[Any]:
        with Flow[None]() as block:
            note()
        return weakref.ref(block)

    assert unreferenced(run_it())


@pytest.mark.slow
def test_ten_thousand_flows_leave_no_growth() -> None:
    """Flows that were executed and dropped leave neither objects nor memory behind."""

    @flow
    def small(i: int) -> int:
        note()
        print(i)
        return i

    def run(times: int) -> None:
        for i in range(times):
            small(i).execute()
        gc.collect()

    run(200)
    objects = len(gc.get_objects())
    tracemalloc.start()
    try:
        run(500)
        memory = tracemalloc.get_traced_memory()[0]
        run(500)
        grown = tracemalloc.get_traced_memory()[0] - memory
    finally:
        tracemalloc.stop()
    run(9_000)
    assert len(gc.get_objects()) - objects < 100
    assert grown < 50_000
