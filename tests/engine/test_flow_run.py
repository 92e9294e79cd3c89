"""`flow_run`: the record as of now, at any moment of a flow's life."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    FlowRun,
    RunStatus,
    Task,
    current_flow,
    current_flow_or_none,
    flow,
    task,
)


def checked(record: FlowRun[Any]) -> FlowRun[Any]:
    """The record, which goes through JSON."""
    text = record.model_dump_json()
    assert FlowRun.model_validate_json(text).model_dump_json() == text
    return record


@task
def double(number: int) -> int:
    """Twice the number."""
    return number * 2


@flow
def work(number: int, label: str = "x") -> int:
    """Doubles a number."""
    return double(number)


def labelled(label: str) -> int:
    """Something with an input."""
    return len(label)


def test_the_record_of_a_pending_flow() -> None:
    """Before the execution there is a pending record with id, name and params, without times, tasks or values."""
    made = work(5)
    record = checked(made.flow_run)
    assert (record.status, record.flow_name, record.flow_id) == (RunStatus.PENDING, "work", made.flow_id)
    assert record.params == {"number": 5, "label": "x"}
    assert (record.start_time, record.end_time, record.duration) == (None, None, 0.0)
    assert (record.return_value, record.error, record.tasks, record.logs, record.results) == (None, None, [], [], [])
    assert (record.parent_flow_id, record.run_params, record.config) == (None, {}, made.flow_config)
    assert made.flow_run == record
    assert made.execute().flow_run.flow_id == record.flow_id
    assert record.status is RunStatus.PENDING


def test_pending_flows_of_every_kind() -> None:
    """A flow that is not set up, one of a class, and one inside another flow have pending records too."""

    class Ingest(Flow[int]):
        url: str

        def run(self) -> int:
            return 1

    @flow
    def outer() -> FlowRun[int]:
        return work(1).flow_run

    assert checked(Flow[int]().flow_run).status is RunStatus.PENDING
    assert checked(Ingest(url="x").flow_run).params == {"url": "x"}
    assert checked(Ingest(url="x").flow_run).flow_name == "Ingest"
    assert checked(outer().execute().return_value).parent_flow_id is None


def test_a_pending_record_follows_the_config() -> None:
    """Without `record_inputs` a pending record has no params, and `redact` masks them."""
    bare = Flow[int](flow_config=FlowConfig(record_inputs=False)).setup(labelled, "x")
    assert bare.flow_run.params == {}
    masked = Flow[int](flow_config=FlowConfig(redact=("label",))).setup(labelled, "x")
    assert masked.flow_run.params == {"label": "**********"}


def test_the_record_inside_nested_tasks() -> None:
    """Inside nested tasks all that are open are running, in the order of their start; what has ended has its end."""
    seen: list[FlowRun[Any]] = []

    @task
    def inner() -> str:
        print("inside")
        seen.append(checked(current_flow().flow_run))
        return "value"

    @task
    def outer() -> str:
        double(1)
        return inner()

    @flow
    def nested() -> str:
        return outer()

    made = nested().execute()
    (record,) = seen
    assert (record.status, record.end_time, record.return_value) == (RunStatus.RUNNING, None, None)
    assert [(call.task_name, call.status) for call in record.tasks] == [
        ("outer", RunStatus.RUNNING),
        ("double", RunStatus.COMPLETED),
        ("inner", RunStatus.RUNNING),
    ]
    assert [call.end_time is None for call in record.tasks] == [True, False, True]
    assert record.tasks[0].duration > record.tasks[2].duration > 0
    assert [entry.message for entry in record.logs if entry.source == "stdout"] == ["inside"]
    after = made.flow_run
    assert [(call.status, call.task_id) for call in after.tasks] == [
        (RunStatus.COMPLETED, call.task_id) for call in record.tasks
    ]
    assert after.tasks[1] == record.tasks[1]
    assert after.duration > record.duration


def test_a_record_does_not_change_while_the_flow_goes_on() -> None:
    """Each record is a snapshot: what the flow does afterwards is only in later ones."""
    taken: list[tuple[FlowRun[Any], str]] = []

    def take() -> None:
        record = current_flow().flow_run
        taken.append((record, record.model_dump_json()))

    @flow(flow_config=FlowConfig(capture_events=True))
    def growing() -> int:
        for n in range(5):
            take()
            double(n)
            print(n)
            current_flow().add_flow_artifact(key=str(n), data=n)
            current_flow().add_flow_result(str(n), value=n)
        take()
        return 7

    made = growing().execute()
    take_after = made.flow_run
    assert all(record.model_dump_json() == text for record, text in taken)
    for name in ("tasks", "artifacts", "results"):
        assert [len(getattr(record, name)) for record, _ in taken] == [0, 1, 2, 3, 4, 5]
    assert [record.duration for record, _ in taken] == sorted({record.duration for record, _ in taken})
    assert take_after.results[-1].key == "flow-return-value"
    assert take_after.model_dump_json() == made.flow_run.model_dump_json()


def test_a_listener_can_take_the_record_at_every_event() -> None:
    """At every event of a run, from FLOW_START to FLOW_STOP, there is a record that goes through JSON."""
    seen: list[tuple[EventType, RunStatus, list[RunStatus]]] = []

    @task(retries=1, raise_on_error=False)
    def flaky() -> None:
        raise ValueError

    def watched() -> None:
        print("text")
        double(1)
        flaky()
        current_flow().add_flow_artifact()

    made = Flow[None]().setup(watched)

    def listen(event: FlowEvent) -> None:
        record = checked(made.flow_run)
        seen.append((event.event_type, record.status, [call.status for call in record.tasks]))

    made.add_listener(listen)
    made.execute()
    kinds = [kind for kind, _, _ in seen]
    assert (kinds[0], kinds[-1]) == (EventType.FLOW_START, EventType.FLOW_STOP)
    assert EventType.TASK_RETRY in kinds
    assert EventType.NEW_ARTIFACT in kinds
    assert seen[0][1:] == (RunStatus.RUNNING, [])
    assert (EventType.TASK_START, RunStatus.RUNNING, [RunStatus.RUNNING]) in seen
    assert seen[-1][2] == [RunStatus.COMPLETED, RunStatus.FAILED]
    assert made.status is RunStatus.COMPLETED


def test_a_retried_task_tells_its_attempt() -> None:
    """While a task is retried its record tells the present attempt, and no error yet."""
    seen: list[tuple[int, RunStatus, bool]] = []

    @task(retries=2)
    def flaky(this_task: Task = INJECTED) -> int:
        (call,) = checked(current_flow().flow_run).tasks
        seen.append((call.attempts, call.status, call.error is None))
        if this_task.attempt < 3:
            raise ValueError
        return 1

    record = checked(Flow[int]().setup(lambda: flaky()).execute().flow_run)
    assert seen == [(1, RunStatus.RUNNING, True), (2, RunStatus.RUNNING, True), (3, RunStatus.RUNNING, True)]
    assert (record.tasks[0].attempts, record.tasks[0].error) == (3, None)


async def test_an_async_flow_is_watched_from_its_own_loop() -> None:
    """While an awaited flow waits, code beside it in the same loop can take its record."""
    inside, go_on = asyncio.Event(), asyncio.Event()

    @task
    async def waits(n: int) -> int:
        inside.set()
        await go_on.wait()
        return n

    @flow
    async def waiting() -> int:
        return sum(await asyncio.gather(*(waits(n) for n in range(3))))

    made = waiting()
    running = asyncio.ensure_future(made.execute_async())
    await inside.wait()
    record = checked(made.flow_run)
    again = made.flow_run
    go_on.set()
    await running
    assert record.status is RunStatus.RUNNING
    assert [(call.status, call.input_args) for call in record.tasks] == [
        (RunStatus.RUNNING, [0]),
        (RunStatus.RUNNING, [1]),
        (RunStatus.RUNNING, [2]),
    ]
    assert again.duration > record.duration
    assert all(later.duration > call.duration for call, later in zip(record.tasks, again.tasks, strict=True))
    assert [call.status for call in made.flow_run.tasks] == [RunStatus.COMPLETED] * 3


def test_a_busy_flow_is_watched_from_another_thread() -> None:
    """While a flow runs thousands of tasks, another thread can take consistent records of it all the time."""
    started, stop, watched = threading.Event(), threading.Event(), list[FlowRun[Any]]()
    problems: list[BaseException] = []

    @flow(flow_config=FlowConfig(capture_events=True))
    def busy() -> int:
        n = 0
        while not stop.is_set() and n < 3_000:
            n += 1
            double(n)
            print("line", n)
            if n == 10:
                started.set()
        return n

    made = busy()

    def watch() -> None:
        try:
            assert started.wait(30)
            for _ in range(5):
                record = made.flow_run
                record.model_dump_json()
                watched.append(record)
        except BaseException as error:
            problems.append(error)
        finally:
            stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    made.execute()
    watcher.join(30)
    assert problems == []
    for record in watched:
        orders = [call.execution_order for call in record.tasks]
        assert orders == list(range(1, len(orders) + 1))
        assert [event.sequence for event in record.events] == list(range(1, len(record.events) + 1))
        assert all(call.status is RunStatus.COMPLETED for call in record.tasks[:-1])
        assert {call.return_value == 2 * call.input_args[0] for call in record.tasks[:-1]} == {True}
        printed = [entry.message for entry in record.logs if entry.source == "stdout"]
        assert printed == [f"line {n + 1}" for n in range(len(printed))]
    sizes = [len(record.tasks) for record in watched]
    assert sizes == sorted(sizes)
    assert len(made.flow_run.tasks) == made.return_value


def test_the_record_of_a_block() -> None:
    """Inside a `with` block the record is running, also after an execution in it, and ends with the block."""
    with work(3) as block:
        first = checked(block.flow_run)
        double(1)
        second = checked(block.flow_run)
    assert (first.status, second.status) == (RunStatus.RUNNING, RunStatus.RUNNING)
    assert [len(first.tasks), len(second.tasks)] == [0, 1]
    assert checked(block.flow_run).status is RunStatus.COMPLETED
    assert block.flow_run.return_value is None


def fail() -> None:
    """Fails."""
    raise ValueError("no")


def interrupt() -> None:
    """Is interrupted."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(("end", "status"), [(fail, RunStatus.FAILED), (interrupt, RunStatus.CANCELLED)])
def test_the_record_of_a_flow_that_does_not_complete(end: Callable[[], None], status: RunStatus) -> None:
    """A flow that fails or is interrupted has an end, an error, and no value or result."""

    @flow
    def ending() -> None:
        double(1)
        end()

    made = ending()
    with pytest.raises((ValueError, KeyboardInterrupt)):
        made.execute()
    record = checked(made.flow_run)
    assert record.status is status
    assert record.error is not None
    assert record.end_time is not None
    assert (record.return_value, record.results) == (None, [])
    assert [call.status for call in record.tasks] == [RunStatus.COMPLETED]


def test_an_earlier_record_survives_a_second_execution() -> None:
    """The record of an earlier run is unchanged by a further one, which has its own."""
    made = work(1).execute()
    first, text = made.flow_run, made.flow_run.model_dump_json()
    second = made.execute().flow_run
    assert first.model_dump_json() == text
    assert second.flow_id != first.flow_id
    assert {call.task_id for call in first.tasks}.isdisjoint(call.task_id for call in second.tasks)


def test_nested_flows_have_records_of_their_own() -> None:
    """The record of a nested flow has its parent's id and its own tasks; the outer record does not have those."""
    inner: list[FlowRun[int]] = []

    @flow
    def outer() -> None:
        double(1)
        inner.append(work(2).execute().flow_run)
        assert current_flow_or_none() is not None

    record = checked(outer().execute().flow_run)
    assert checked(inner[0]).parent_flow_id == record.flow_id
    assert [call.input_args for call in record.tasks] == [[1]]
    assert [call.input_args for call in inner[0].tasks] == [[2]]
    assert record.parent_flow_id is None
