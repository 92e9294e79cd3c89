"""The types of records, events and of the context's accessors."""

import asyncio
from datetime import datetime
from typing import Any, Literal

from typing_extensions import assert_type

from flowscope import (
    Artifact,
    Dropped,
    Durations,
    ErrorInfo,
    EventData,
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    FlowRun,
    Listener,
    LogEntry,
    Result,
    RunStatus,
    Subscription,
    Task,
    TaskDuration,
    TaskRun,
    TaskTiming,
    current_flow,
    current_flow_or_none,
    current_task,
    current_task_or_none,
    flow,
    flow_events,
    task,
)


@task
def step(number: int) -> int:
    return number


@flow
def work(number: int) -> int:
    return step(number)


def test_a_record_is_generic_in_its_return_value() -> None:
    """`FlowRun[R]` has a return value of `R | None`, also when it is loaded from JSON."""
    record = assert_type(work(1).execute().flow_run, FlowRun[int])
    assert assert_type(record.return_value, int | None) == 1
    loaded = assert_type(FlowRun[int].model_validate_json(record.model_dump_json()), FlowRun[int])
    assert assert_type(loaded.return_value, int | None) == 1
    assert_type(FlowRun.model_validate_json(record.model_dump_json()), FlowRun[Any])


def test_the_fields_of_a_record_are_typed() -> None:
    """Each field of `FlowRun` and of the records inside it has the type that the reference names."""
    record = work(1).execute().flow_run
    assert_type(record.schema_version, Literal[1])
    assert_type(record.flow_id, str)
    assert_type(record.parent_flow_id, str | None)
    assert_type(record.status, RunStatus)
    assert_type(record.start_time, datetime | None)
    assert_type(record.end_time, datetime | None)
    assert_type(record.duration, float)
    assert_type(record.config, FlowConfig)
    assert_type(record.params, dict[str, Any])
    assert_type(record.run_params, dict[str, Any])
    assert_type(record.error, ErrorInfo | None)
    assert_type(record.tasks, list[TaskRun])
    assert_type(record.logs, list[LogEntry])
    assert_type(record.events, list[FlowEvent])
    assert_type(record.artifacts, list[Artifact])
    assert_type(record.results, list[Result])
    assert_type(record.tags, tuple[str, ...])
    assert_type(record.dropped, Dropped)
    call = record.tasks[0]
    assert_type(call.start_time, datetime)
    assert_type(call.parent_task_id, str | None)
    assert_type(call.input_args, list[Any])
    assert_type(call.input_kwargs, dict[str, Any])
    assert_type(call.error, ErrorInfo | None)
    assert_type(record.logs[0].source, Literal["log", "stdout", "stderr", "logging"])


def test_durations_are_typed() -> None:
    """By name and by call, durations are records of seconds."""
    run = work(1).execute()
    assert_type(run.durations(), Durations)
    assert_type(run.durations().flow_tasks, dict[str, float])
    assert_type(run.durations().calls, dict[str, TaskTiming])
    assert assert_type(run.durations().calls["step"].count, int) == 1
    assert_type(run.durations_with_tasks_status().flow_tasks, dict[int, TaskDuration])
    assert_type(run.durations_with_tasks_status().flow_tasks[1].task_status, RunStatus)


def test_listeners_are_typed() -> None:
    """A listener takes a `FlowEvent` and returns anything: sync and async functions, methods and lambdas are listeners."""
    seen: list[EventType] = []

    def sync_listener(event: FlowEvent) -> None:
        seen.append(assert_type(event.event_type, EventType))

    async def async_listener(event: FlowEvent) -> None:
        assert_type(event.event_data, EventData)

    listeners: list[Listener] = [sync_listener, async_listener, seen.__contains__]
    assert len(listeners) == 3
    with (
        assert_type(flow_events.subscribe(sync_listener, EventType.TASK_STOP, flow_name="work"), Subscription),
        flow_events.subscribe(async_listener),
        work(1).add_listener(lambda event: event.sequence, EventType.FLOW_STOP) as subscription,
    ):
        work(1).execute()
    assert_type(subscription.listener, Listener)
    assert assert_type(seen, list[EventType]) == [EventType.TASK_STOP]
    assert_type(flow_events.event_listeners, list[Listener])


async def test_a_stream_yields_events() -> None:
    """`async for` over a stream gives a `FlowEvent` each time."""
    made = work(1)
    async with flow_events.stream(made.flow_id, max_pending=10) as stream:
        await made
        kinds = [assert_type(event, FlowEvent).event_type async for event in stream]
    assert kinds[-1] is EventType.FLOW_STOP
    assert assert_type(stream.dropped, int) == 0


def test_the_accessors_of_the_context_are_typed() -> None:
    """`current_flow` and `current_task` give live objects, their `_or_none` kin may give None."""

    @task
    def inside() -> str:
        assert_type(current_task(), Task)
        assert_type(current_task_or_none(), Task | None)
        return assert_type(current_flow(), Flow[Any]).flow_name

    @flow
    async def outer() -> str:
        assert assert_type(current_task_or_none(), Task | None) is None
        return await asyncio.to_thread(inside)

    assert outer().execute().return_value == "outer"
    assert assert_type(current_flow_or_none(), Flow[Any] | None) is None
