"""Events come in order, numbered without a gap, and only where somebody listens."""

import asyncio
import contextlib
import io
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowscope import (
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    NoActiveFlowError,
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


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "counted"])
def test_a_flow_that_ends_amid_its_threads_has_a_whole_record(kept: bool) -> None:
    """However threads race with the flow's end, starts and stops pair up, FLOW_STOP is last and the record is final."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(10):
            _race_with_the_end(kept=kept)
    finally:
        sys.setswitchinterval(interval)


def _race_with_the_end(*, kept: bool) -> None:
    running = threading.Barrier(5)
    threads: list[threading.Thread] = []
    refused: list[NoActiveFlowError] = []

    @task
    def work() -> None:
        print("x")

    def call_until_refused() -> None:
        work()
        running.wait()
        try:
            while True:
                work()
        except NoActiveFlowError as error:
            refused.append(error)

    @flow(flow_config=FlowConfig(add_task_to_self=kept))
    def leaving() -> None:
        bound = bind_context(call_until_refused)
        threads.extend(threading.Thread(target=bound) for _ in range(4))
        for thread in threads:
            thread.start()
        running.wait()

    run = leaving()
    events: list[FlowEvent] = []
    run.add_listener(events.append)
    with contextlib.redirect_stdout(io.StringIO()):
        record = run.execute().flow_run
        for thread in threads:
            thread.join()
    assert len(refused) == 4
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))
    assert events[-1].event_type is EventType.FLOW_STOP
    starts = [e.event_data.task_run_id for e in events if e.event_type is EventType.TASK_START]
    stops = [e.event_data.task_run_id for e in events if e.event_type is EventType.TASK_STOP]
    assert sorted(map(str, stops)) == sorted(set(map(str, starts)))
    assert events[-1].event_data.data["tasks"]["total"] == len(stops)
    assert run.flow_run.model_dump_json() == record.model_dump_json()
    if kept:
        assert {t.task_id for t in record.tasks} == set(starts)
        assert {t.status for t in record.tasks} <= {RunStatus.COMPLETED, RunStatus.ABANDONED}
        assert all(t.end_time is not None for t in record.tasks)


@pytest.mark.parametrize("listens", ["sync", "async"])
def test_the_stop_has_been_heard_when_execute_returns(listens: str) -> None:
    """Also where another thread is delivering events at that moment, every listener is through when execute returns."""
    heard: list[EventType] = []

    async def listen_async(event: FlowEvent) -> None:
        heard.append(event.event_type)

    def listen(event: FlowEvent) -> None:
        heard.append(event.event_type)

    @task
    def work() -> None: ...

    def call_until_refused(running: threading.Barrier) -> None:
        running.wait()
        with contextlib.suppress(NoActiveFlowError):
            while True:
                work()

    @flow
    def leaving(threads: list[threading.Thread]) -> None:
        running = threading.Barrier(5)
        bound = bind_context(call_until_refused)
        threads.extend(threading.Thread(target=bound, args=(running,)) for _ in range(4))
        for thread in threads:
            thread.start()
        running.wait()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(500):
            heard.clear()
            threads: list[threading.Thread] = []
            made = leaving(threads)
            made.add_listener(listen if listens == "sync" else listen_async)
            made.execute()
            at_return = heard[-1:]
            for thread in threads:
                thread.join()
            assert at_return == [EventType.FLOW_STOP]
    finally:
        sys.setswitchinterval(interval)
