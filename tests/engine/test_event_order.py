"""Events come in order, numbered without a gap, and only where somebody listens."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowscope import (
    Flow,
    FlowConfig,
    FlowEvent,
    RunStatus,
    bind_context,
    flow,
    flow_events,
    task,
)


def events_of(run: Flow[Any]) -> list[FlowEvent]:
    """All events of one execution."""
    events: list[FlowEvent] = []
    with run.add_listener(events.append):
        run.execute()
    return events


def kinds(events: list[FlowEvent]) -> list[str]:
    return [event.event_type.value for event in events]


def test_the_events_of_a_run_are_in_order() -> None:
    """Start, what happens, stop: numbered from 1 without gaps, with aware, ordered times and unique ids."""

    @task
    def work() -> None:
        print("working")

    @flow
    def ordered() -> int:
        work()
        return 1

    run = ordered()
    start = datetime.now(UTC) - timedelta(seconds=1)
    events = events_of(run)
    assert kinds(events) == [
        "flow_start",
        "task_start",
        "flow_message",
        "task_stop",
        "new_result",
        "flow_message",
        "flow_stop",
    ]
    assert [e.sequence for e in events] == list(range(1, 8))
    assert len({e.event_id for e in events}) == 7
    times = [e.timestamp for e in events]
    assert times == sorted(times)
    assert all(t.utcoffset() == timedelta(0) for t in times)
    assert start < times[0] <= times[-1] <= datetime.now(UTC) + timedelta(seconds=1)


def test_a_task_left_open_is_stopped_as_abandoned() -> None:
    """A task that is open at the flow's end gets its stop event before the flow's."""

    @task
    def endless() -> Any:
        while True:
            yield

    kept: list[Any] = []

    @flow
    def leaving() -> None:
        kept.append(endless())
        next(kept[0])

    events = events_of(leaving())
    kept[0].close()
    assert kinds(events) == ["flow_start", "task_start", "task_stop", "flow_stop"]
    assert events[2].event_data.data["status"] == RunStatus.ABANDONED
    assert events[3].event_data.data["tasks"]["total"] == 1


def test_events_of_many_threads_have_no_gap() -> None:
    """Under many threads every listener sees 1, 2, 3, … in this order, and each task's start before its stop."""
    start = threading.Barrier(8)

    @task
    def work(i: int) -> None:
        print(i)

    def many(thread: int) -> None:
        start.wait()
        for i in range(50):
            work(thread * 50 + i)

    @flow(flow_config=FlowConfig(capture_events=True))
    def threaded() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(bind_context(many), range(8)))

    run = threaded()
    own: list[FlowEvent] = []
    everyone: list[FlowEvent] = []
    with run.add_listener(own.append), flow_events.subscribe(everyone.append):
        run.execute()
    assert [e.sequence for e in own] == list(range(1, 2 + 400 * 3 + 1))
    assert own == everyone == run.flow_run.events
    kinds_of: dict[str, list[str]] = {}
    for event in own:
        if event.event_data.task_run_id is not None:
            kinds_of.setdefault(event.event_data.task_run_id, []).append(event.event_type.value)
    assert len(kinds_of) == 400
    assert all(found == ["task_start", "flow_message", "task_stop"] for found in kinds_of.values())


async def test_concurrent_flows_number_their_own_events() -> None:
    """Twenty flows at once: the events of each are gap-free, and each names its own flow and tasks."""

    @task
    async def work(name: str) -> None:
        await asyncio.sleep(0)
        print(name)

    @flow
    async def working(name: str) -> None:
        await asyncio.gather(*(work(f"{name}.{i}") for i in range(5)))

    events: list[FlowEvent] = []
    with flow_events.subscribe(events.append):
        runs = await asyncio.gather(*(working(str(i)).execute_async() for i in range(20)))
    for run in runs:
        own = [e for e in events if e.event_data.flow_run_id == run.flow_id]
        assert [e.sequence for e in own] == list(range(1, 18))
        task_ids = {t.task_id for t in run.flow_run.tasks}
        assert {e.event_data.task_run_id for e in own} == {*task_ids, None}


@pytest.mark.parametrize("listening", [False, True])
def test_without_a_listener_no_event_is_built(listening: bool) -> None:
    """Nobody looks into a returned value to make an event of it where nobody listens."""
    looks: list[int] = []

    class Watched(list[int]):
        def __iter__(self) -> Any:
            looks.append(1)
            return super().__iter__()

        def __repr__(self) -> str:
            looks.append(1)
            return "watched"

    @flow
    def returning() -> Watched:
        return Watched([1])

    run = returning()
    if listening:
        events_of(run)
    else:
        run.execute()
    assert bool(looks) is listening
