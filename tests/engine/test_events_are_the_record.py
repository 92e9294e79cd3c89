"""The law of the journal: the record of a run is the fold of its events."""

import asyncio
import json
import threading
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from flowscope import (
    AttemptFailure,
    Flow,
    FlowConfig,
    FlowEvent,
    FlowRun,
    LogEntry,
    TaskRun,
    flow,
    flow_events,
    submit,
    task,
    use_executor,
)
from support.journal_programs import (
    Step,
    async_program,
    count,
    inner,
    insist,
    nested_work,
    sync_program,
    tolerated,
    wait,
    work,
)

PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5), st.binary(max_size=4)
)
VALUES = st.recursive(
    PLAIN,
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.text(max_size=3), inside, max_size=2),
    max_leaves=4,
)
LEAF_STEPS = st.one_of(
    st.tuples(st.sampled_from(["work", "tolerated", "inner", "log", "thread"]), VALUES),
    st.tuples(st.sampled_from(["insist", "count", "half", "map"]), st.integers(0, 3)),
    st.tuples(st.just("rename"), st.text("abc", max_size=3)),
)
STEPS = st.recursive(
    LEAF_STEPS, lambda inside: st.tuples(st.just("nested"), st.lists(inside, max_size=3)), max_leaves=6
)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "add_task_to_self": st.booleans(),
        "log_to_memory": st.booleans(),
        "log_level": st.sampled_from(["DEBUG", "INFO", "ERROR"]),
        "max_logs": st.integers(0, 4),
        "max_events": st.integers(0, 4),
        "capture_events": st.booleans(),
        "record_inputs": st.booleans(),
        "record_return_values": st.booleans(),
        "print_finished_message": st.booleans(),
        "print_error_stack_trace": st.booleans(),
        "redact": st.sampled_from([(), ("value",)]),
    },
)


def document(record: FlowRun[Any]) -> dict[str, Any]:
    """The JSON of a record without its events."""
    written: dict[str, Any] = json.loads(record.model_dump_json(exclude={"events"}))
    return written


def read_back(events: list[FlowEvent]) -> list[FlowEvent]:
    """The events as another program reads them."""
    return [FlowEvent.model_validate_json(event.model_dump_json()) for event in events]


def assert_law(made: Flow[Any], events: list[FlowEvent]) -> None:
    """The events, as they are and as JSON, give the record."""
    expected = document(made.flow_run)
    assert document(FlowRun.from_events(events)) == expected
    assert document(FlowRun.from_events(read_back(events))) == expected
    assert [event.sequence for event in events] == [*range(1, len(events) + 1)]


@settings(max_examples=60, deadline=None)
@given(program=st.lists(STEPS, max_size=5), fails=st.booleans(), config=CONFIGS, is_async=st.booleans())
def test_the_record_is_the_fold_of_its_events(
    program: list[Step], fails: bool, config: dict[str, Any], is_async: bool
) -> None:
    """Over random programs: sync, async, gathered, threads, nested, generators, retries and failures."""
    steps = [*program, ("raise", "the end")] if fails else program
    made = (async_program if is_async else sync_program)(steps)
    made.flow_config = FlowConfig(raise_flow_error=False, **config)
    events: list[FlowEvent] = []
    with made.add_listener(events.append):
        made.execute()
    assert_law(made, events)


@settings(max_examples=30, deadline=None)
@given(program=st.lists(LEAF_STEPS, min_size=1, max_size=4), config=CONFIGS)
def test_the_first_events_are_the_record_as_of_then(program: list[Step], config: dict[str, Any]) -> None:
    """At each event the fold is what `flow_run` is at that moment, but for durations and the record of waiting calls."""
    made = sync_program([step for step in program if step[0] not in {"thread", "map"}])
    made.flow_config = FlowConfig(raise_flow_error=False, **config)
    events: list[FlowEvent] = []

    def compare(event: FlowEvent) -> None:
        events.append(event)
        present, folded = document(made.flow_run), document(FlowRun.from_events(events))
        for record in (present, folded):
            record["dropped"].pop("events")  # this one is being delivered
            for each in (record, *record["tasks"]):
                if each["end_time"] is None:
                    del each["duration"]
                    each.pop("progress", None)  # its events are thinned
        if event.event_type in {
            "flow_message",
            "task_progress",
        }:  # what is told of an end comes before the event of that end
            for record in (present, folded):
                record["tasks"] = [task for task in record["tasks"] if task["task_id"] != event.event_data.task_run_id]
                record["dropped"].pop("tasks")
        assert folded == present
        compared.append(event)

    compared: list[FlowEvent] = []
    with made.add_listener(compare):
        made.execute()
    assert compared == events


@pytest.mark.parametrize("kind", ["asyncio", "thread", "process"])
def test_the_law_holds_for_tasks_elsewhere(kind: Literal["asyncio", "thread", "process"]) -> None:
    """Nested tasks, retries and failures in threads and worker processes."""

    @flow
    def elsewhere() -> None:
        with use_executor(kind):
            submit(wait if kind == "asyncio" else nested_work, [1, b"\xff"]).result()
            if kind != "asyncio":
                submit(insist, 1).result()
                submit(insist, 5).result()
                submit(tolerated, 2).result()

    events: list[FlowEvent] = []
    made = elsewhere()
    with made.add_listener(events.append):
        made.execute()
    assert_law(made, events)
    assert len(made.flow_run.tasks) > 1


async def test_the_law_holds_for_a_cancelled_flow() -> None:
    """Tasks that wait, run and have ended at that moment."""
    started = asyncio.Event()

    @task
    async def sleep() -> None:
        started.set()
        await asyncio.Event().wait()

    @flow
    async def waiting() -> None:
        await wait(1)
        await asyncio.gather(sleep(), submit(sleep), sleep())

    events: list[FlowEvent] = []
    made = waiting()
    with made.add_listener(events.append):
        running = asyncio.create_task(made.execute_async())
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert made.flow_run.status == "cancelled"
    assert_law(made, events)


def test_the_law_holds_for_a_block_and_a_class() -> None:
    """Also with abandoned tasks."""

    class Ingest(Flow[int]):
        url: str
        password: str = "a-secret-word"

        def run(self) -> int:
            work(self.url)
            return 1

    events: list[FlowEvent] = []
    ingest = Ingest(url="http://example.org")
    with ingest.add_listener(events.append):
        ingest.execute()
    assert_law(ingest, events)

    block: Flow[Any] = Flow(flow_name="block", tags=("a", "b"))
    events = []
    with block.add_listener(events.append), block:
        work(1)
        iterator = iter(count(3))
        next(iterator)
    assert [call.status for call in block.flow_run.tasks] == ["completed", "abandoned"]
    assert_law(block, events)


def test_the_law_holds_for_flows_at_the_same_time() -> None:
    """Each has its own events, told apart by the id of the flow."""
    events: list[FlowEvent] = []
    made = [sync_program([("work", number), ("insist", 2)]) for number in range(4)]
    with flow_events.subscribe(events.append):
        threads = [threading.Thread(target=each.execute) for each in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for each in made:
        assert_law(each, [event for event in events if event.event_data.flow_run_id == each.flow_id])


def test_events_that_are_no_run_are_refused() -> None:
    """None, those of several runs, and those from the middle."""
    events: list[FlowEvent] = []
    with flow_events.subscribe(events.append):
        inner(1).execute()
        inner(2).execute()
    with pytest.raises(ValueError, match="there are no events"):
        FlowRun.from_events([])
    with pytest.raises(ValueError, match="there are events of flows"):
        FlowRun.from_events(events)
    with pytest.raises(ValueError, match="wanted a flow_start"):
        FlowRun.from_events(events[1:])
    (first, *rest) = [event for event in events if event.event_data.flow_id == events[0].event_data.flow_id]
    for wrong in ([first, *rest[1:]], [first, *reversed(rest)], [first, first]):
        with pytest.raises(ValueError, match="follows event 1. Give all events"):
            FlowRun.from_events(wrong)


def test_a_typed_record_comes_from_events() -> None:
    """The return value is read as the type that is asked for."""

    class Price(BaseModel):
        cents: int
        label: bytes

    @flow
    def price() -> Price:
        return Price(cents=3, label=b"\xff\x00")

    events: list[FlowEvent] = []
    made = price()
    with made.add_listener(events.append):
        made.execute()
    assert FlowRun[Price].from_events(events).return_value == Price(cents=3, label=b"\xff\x00")


@pytest.mark.parametrize("model", [FlowRun, TaskRun, LogEntry, AttemptFailure])
def test_every_field_of_the_records_is_told_by_events(model: type[BaseModel]) -> None:
    """A field that no payload holds would have its default in a record from events."""
    made = sync_program([("insist", 1), ("insist", 5), ("nested", [("work", 1)]), ("thread", 2), ("count", 2)])
    made.flow_config = FlowConfig(log_level="INFO")
    events: list[FlowEvent] = []

    @flow
    def around() -> None:
        parent()

    @task
    def parent() -> None:
        made.execute_flow({"reason": "test"})

    with made.add_listener(events.append):
        around().execute()
    record = FlowRun.from_events(events)
    instances: dict[type[BaseModel], list[Any]] = {
        FlowRun: [record],
        TaskRun: record.tasks,
        LogEntry: record.logs,
        AttemptFailure: [failed for call in record.tasks for failed in call.failed_attempts],
    }
    exempt = {"events", "schema_version", "abandoned_thread", "dropped", *(["error"] if model is FlowRun else [])}
    for name, field in model.model_fields.items():
        if name not in exempt:
            default = field.get_default(call_default_factory=True)
            assert any(getattr(each, name) != default for each in instances[model]), name
