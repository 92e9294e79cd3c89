"""Events that a run keeps in its record."""

from typing import Any

import pytest

from flowscope import ErrorInfo, EventType, FlowConfig, FlowEvent, FlowRun, flow, flow_events, task


@task
def work() -> None: ...


@flow(flow_config=FlowConfig(capture_events=True))
def kept(n: int) -> None:
    for _ in range(n):
        work()


@flow
def other() -> None:
    work()


def test_events_are_kept_only_on_demand() -> None:
    """By default a record has no events, also while somebody listens."""
    events: list[FlowEvent] = []
    with flow_events.subscribe(events.append):
        record = other().execute().flow_run
    assert record.events == []
    assert record.dropped.events == 0
    assert len(events) == 4


def test_a_run_keeps_its_own_events_only() -> None:
    """`capture_events` keeps this run's events from start to stop; other flows, nested or later, add none."""

    @flow(flow_config=FlowConfig(capture_events=True))
    def outer() -> None:
        other().execute()
        kept(1).execute()

    run = outer().execute()
    events = run.flow_run.events
    other().execute()
    kept(1).execute()
    assert run.flow_run.events == events
    assert [e.event_type for e in events] == [EventType.FLOW_START, EventType.FLOW_STOP]
    assert {e.event_data.flow_run_id for e in events} == {run.flow_id}


def test_kept_events_survive_json() -> None:
    """The events of a record are read back from its JSON as they were."""
    record = kept(2).execute().flow_run
    again = FlowRun[None].model_validate_json(record.model_dump_json())
    assert [(e.event_id, e.sequence, e.event_type, e.timestamp) for e in again.events] == [
        (e.event_id, e.sequence, e.event_type, e.timestamp) for e in record.events
    ]
    assert len(again.events) == 6


def test_errors_in_kept_events_survive_json() -> None:
    """The error of a retry, a task and a flow is an `ErrorInfo` again, and the records are equal."""

    @task(retries=1, retry_delay=0)
    def fail() -> None:
        raise ValueError("no")

    @flow(flow_config=FlowConfig(capture_events=True, raise_flow_error=False))
    def failing() -> None:
        fail()

    record = failing().execute().flow_run
    again = FlowRun[Any].model_validate_json(record.model_dump_json())
    assert again == record
    assert FlowRun[Any].model_validate(record.model_dump()) == record
    told = [e.event_type for e in again.events if isinstance(e.event_data.data.get("error"), ErrorInfo)]
    assert told == [EventType.TASK_RETRY, EventType.TASK_STOP, EventType.FLOW_STOP]
    stop = again.events[-1]
    plain = stop.model_dump()
    assert FlowEvent.model_validate(plain) == stop
    assert isinstance(plain["event_data"]["data"]["error"], dict)


@pytest.mark.parametrize(("limit", "first"), [(0, 9), (1, 8), (3, 6), (8, 1), (100, 1), (None, 1)])
def test_max_events_keeps_the_newest_and_counts_the_rest(limit: int | None, first: int) -> None:
    """The events are a ring of `max_events`; what was dropped is counted, and listeners still get all."""
    events: list[FlowEvent] = []

    @flow(flow_config=FlowConfig(capture_events=True, max_events=limit))
    def many() -> None:
        for _ in range(3):
            work()

    run = many()
    run.add_listener(events.append)
    record = run.execute().flow_run
    assert [e.sequence for e in record.events] == list(range(first, 9))
    assert record.dropped.events == first - 1
    assert len(events) == 8


def test_a_second_execution_starts_anew() -> None:
    """Each execution has events of its own, numbered from 1, under its own id."""
    run = kept(1)
    first = run.execute().flow_run
    second = run.execute().flow_run
    assert [e.sequence for e in first.events] == [e.sequence for e in second.events] == [1, 2, 3, 4]
    assert {e.event_data.flow_run_id for e in second.events} == {second.flow_id}
    assert first.flow_id != second.flow_id
