"""What a listener does to the payload of an event is its own affair."""

from typing import Any

import pytest

from flowscope import ErrorInfo, Flow, FlowConfig, FlowEvent, current_flow, flow, flow_events, submit, task


@task(retries=1, raise_on_error=False)
def work(value: list[Any]) -> None:
    print("hello")
    current_flow().add_flow_artifact(key="a", data=value)
    current_flow().add_flow_result("r", value=value)
    raise ValueError("boom")


@flow(flow_config=FlowConfig(capture_events=True))
def sync_flow(value: list[Any]) -> None:
    work(value)
    submit(work, value).result()


@flow(flow_config=FlowConfig(capture_events=True))
async def async_flow(value: list[Any]) -> None:
    work(value)
    await submit(work, value)


def vandalise(payload: Any) -> None:
    """Change all that can be changed."""
    if isinstance(payload, ErrorInfo):
        payload.notes.append("vandalised")
    elif hasattr(payload, "clear"):
        for part in tuple(payload.values() if hasattr(payload, "values") else payload):
            vandalise(part)
        payload.clear()


def vandal(event: FlowEvent) -> None:
    vandalise(event.event_data.data)


async def async_vandal(event: FlowEvent) -> None:
    vandalise(event.event_data.data)


def intact(events: list[FlowEvent]) -> bool:
    """Whether every event has all that its kind tells."""
    told = {event.event_type.value: event.event_data.data for event in events}
    assert told["flow_start"].keys() == {
        "parent_flow_id",
        "parent_task_id",
        "params",
        "run_params",
        "config",
        "tags",
        "run_name",
        "description",
    }
    assert told["flow_start"]["params"] == {"value": [1, {"a": [2]}]}
    assert told["flow_message"]["message_data"].keys() == {"log_level", "message", "message_text"}
    assert [e.event_data.data["artifact_data"]["data"] for e in events if e.event_type == "new_artifact"] == [
        [1, {"a": [2]}]
    ] * 4
    assert "vandalised" not in told["task_retry"]["error"].notes + told["task_stop"]["error"].notes
    tasks: dict[str, int] = told["flow_stop"]["tasks"]
    return tasks == {"total": 2, "failed": 2}


@pytest.mark.parametrize("destroyer", [vandal, async_vandal])
@pytest.mark.parametrize("made", [sync_flow, async_flow])
def test_a_listener_that_changes_its_payloads_changes_nothing_else(made: Any, destroyer: Any) -> None:
    """Listeners before and after it, of the flow and of the bus, the record and the values themselves are as ever."""
    value: list[Any] = [1, {"a": [2]}]
    running: Flow[None] = made(value)
    own: list[FlowEvent] = []
    of_the_bus: list[FlowEvent] = []
    raw: list[FlowEvent] = []
    with (
        running.add_listener(destroyer),
        running.add_listener(own.append),
        flow_events.subscribe(destroyer),
        flow_events.subscribe(of_the_bus.append),
    ):
        flow_events.event_listeners += [destroyer, raw.append]
        try:
            running.execute()
        finally:
            del flow_events.event_listeners[-2:]
    assert intact(own)
    assert intact(of_the_bus)
    assert intact(raw)
    assert intact(running.flow_run.events)
    assert value == [1, {"a": [2]}]
    assert running.flow_run.artifacts[0].data is value


def test_a_sole_listener_gets_a_payload_of_its_own() -> None:
    """Without a record of events, too, nothing that a listener does reaches the values of the flow."""
    value: list[Any] = [1]
    made = sync_flow(value)
    made.flow_config = FlowConfig()
    with made.add_listener(vandal):
        made.execute()
    assert value == [1]
    assert [entry.message for entry in made.captured_logs()][0] == "hello"
    assert made.flow_run.results[0].value is value


async def test_streams_share_nothing() -> None:
    """Each consumer of a stream has its own events."""
    made = async_flow([1, {"a": [2]}])
    async with flow_events.stream(made.flow_id) as first, flow_events.stream(made.flow_id) as second:
        await made.execute_async()
        async for event in first:
            vandal(event)
        assert intact([event async for event in second])


def test_a_copy_for_a_listener_is_the_same_event() -> None:
    """Listeners get events that are equal, and are written alike."""
    made = sync_flow([1])
    first: list[FlowEvent] = []
    second: list[FlowEvent] = []
    with made.add_listener(first.append), made.add_listener(second.append):
        made.execute()
    assert first == second
    assert [event.model_dump_json(exclude_unset=True) for event in first] == [
        event.model_dump_json(exclude_unset=True) for event in made.flow_run.events
    ]
