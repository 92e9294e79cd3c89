"""What a task says, finds and calls in a worker process comes to the record of its flow as if it had run in place."""

import asyncio
import logging
import os
import re
import signal
import threading
from typing import Any, Final

import pytest

from flowscope import (
    EventType,
    Executor,
    Flow,
    FlowConfig,
    FlowEvent,
    FlowRun,
    ProcessExecutor,
    RunStatus,
    TaskFuture,
    TaskRun,
    TaskTimeoutError,
    WorkerDiedError,
    flow_events,
    submit,
    use_executor,
)
from support.executors import process_tasks as tasks
from support.executors.gate import Gate

KEEP_EVENTS: Final = FlowConfig(capture_events=True, raise_flow_error=False)

CALLS: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "talk": (tasks.talk, ()),
    "stammer": (tasks.stammer, ()),
    "mumble": (tasks.mumble, ()),
    "say objects": (tasks.say_objects, ()),
    "threads": (tasks.print_in_threads, (1, 5)),
    "to_thread": (tasks.print_in_to_thread, ()),
    "call many": (tasks.call_many, ()),
    "call deep": (tasks.call_deep, (20,)),
    "generators": (tasks.call_generators, ()),
    "gather": (tasks.gather_many, ()),
    "gather failing": (tasks.gather_failing, ()),
    "submit": (tasks.submit_many, ()),
    "submit async": (tasks.submit_many_async, ()),
    "expire nested": (tasks.expire_nested, ()),
    "recursion": (tasks.recurse_for_ever, ()),
    "memory": (tasks.want_too_much, ()),
    "exit inside": (tasks.raise_inside, (SystemExit,)),
    "interrupt inside": (tasks.raise_inside, (KeyboardInterrupt,)),
    "find": (tasks.find_everything, ()),
    "fail": (tasks.fail, ("here",)),
    "fail inside": (tasks.fail_inside, ()),
    "tolerate": (tasks.fail_quietly, ("here",)),
    "failing flow": (tasks.run_a_failing_flow, ()),
}


ENDING_EARLIER: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {"leave a generator": (tasks.leave_a_generator, ())}
"""What a task leaves open ends with its attempt, as opposed to the end of the flow."""


def alone(one: dict[str, Any], orders: dict[str, int]) -> dict[str, Any]:
    """An event, a log entry or the like without what differs from run to run."""
    kept = {key: value for key, value in one.items() if key not in {"timestamp", "event_id", "start_time", "end_time"}}
    text = repr(kept)
    for name, order in orders.items():
        text = text.replace(name, f"<task {order}>")
    text = re.sub(r"flow-[0-9a-f]+", "<flow>", text)
    text = re.sub(r"'duration': [0-9.e-]+", "'duration': …", text)
    text = re.sub(r"'((?:attempt_)?start|end)_time': '[^']*'", r"'\1_time': …", text)
    text = re.sub(r"'abandoned_thread': (None|'[^']*')", "'abandoned_thread': …", text)
    text = re.sub(r"'traceback': ('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", "'traceback': …", text)
    return {"text": re.sub(r"0x[0-9a-f]+", "0x…", text)}


def shape(record: FlowRun[Any]) -> dict[str, list[dict[str, Any]]]:
    """All that two runs of the same task have in common."""
    orders = {one.task_id: one.execution_order for one in reversed(record.tasks)}
    orders = dict(sorted(orders.items(), key=lambda item: -len(item[0])))
    written = record.model_dump(mode="json")
    for one in written["tasks"]:
        one["abandoned_thread"] = "of another process"
        if one["execution_order"] == 1:
            one["executor"] = "…"
    for event in written["events"]:
        if event["event_data"]["data"].get("execution_order") == 1:
            event["event_data"]["data"]["executor"] = "…"
    kinds = ("tasks", "logs", "artifacts", "results", "events")
    return {kind: [alone(one, orders) for one in written[kind]] for kind in kinds}


def run_there(workers: Executor, function: Any, *args: Any, config: FlowConfig = KEEP_EVENTS) -> Flow[Any]:
    """Run one task in a worker."""

    def body() -> Any:
        return submit(function, *args).result()

    with use_executor(workers):
        return Flow[Any](flow_name="f", flow_config=config).setup(body).execute()


async def run_here(function: Any, *args: Any) -> Flow[Any]:
    """Run one task in place."""

    async def body() -> Any:
        value = function(*args)
        return await value if hasattr(value, "__await__") else value

    return await Flow[Any](flow_name="f", flow_config=KEEP_EVENTS).setup(body).execute_async()


@pytest.mark.parametrize("name", CALLS)
async def test_it_is_as_if_it_had_run_in_place(workers: Executor, name: str) -> None:
    """Tasks, logs, artifacts, results and events, their order and what belongs to what are those of a direct call."""
    function, args = CALLS[name]
    here = await run_here(function, *args)
    there = run_there(workers, function, *args)
    assert there.status is here.status
    assert str(there.flow_error) == str(here.flow_error) or name == "fail inside"
    wanted, found = shape(here.flow_run), shape(there.flow_run)
    for kind, entries in wanted.items():
        assert found[kind] == entries, kind


@pytest.mark.parametrize("name", [*CALLS, *ENDING_EARLIER])
def test_what_it_records_is_sound(workers: Executor, name: str) -> None:
    """Sequences have no gap, every start has its stop, and all times lie in those of the task they belong to."""
    function, args = {**CALLS, **ENDING_EARLIER}[name]
    record = run_there(workers, function, *args).flow_run
    assert [event.sequence for event in record.events] == list(range(1, len(record.events) + 1))
    by_id = {one.task_id: one for one in record.tasks}
    assert len(by_id) == len(record.tasks)
    starts = [one.event_data.task_run_id for one in record.events if one.event_type == EventType.TASK_START]
    stops = [one.event_data.task_run_id for one in record.events if one.event_type == EventType.TASK_STOP]
    assert starts == [one.task_id for one in record.tasks]
    assert sorted(map(str, stops)) == sorted(map(str, starts))
    for one in record.tasks:
        check_times(one, by_id)
    moments = [entry.timestamp for entry in record.logs]
    assert moments == sorted(moments)
    for entry in record.logs:
        owner = by_id.get(entry.task_id or "")
        if owner is not None:
            assert owner.start_time <= entry.timestamp
    assert FlowRun[Any].model_validate_json(record.model_dump_json()).model_dump(mode="json") == record.model_dump(
        mode="json"
    )


def check_times(one: TaskRun, by_id: dict[str, TaskRun]) -> None:
    """A task lies in the time of the one that called it."""
    assert one.start_time is not None
    assert one.end_time is not None
    assert one.start_time <= one.end_time
    parent = by_id.get(one.parent_task_id or "")
    if parent is not None and parent.end_time is not None:
        assert parent.start_time <= one.start_time
        assert one.end_time <= parent.end_time


def messages(record: FlowRun[Any], source: str | None = None) -> list[str]:
    return [entry.message for entry in record.logs if source in {None, entry.source}]


@pytest.mark.parametrize("form", [tasks.print_lines, tasks.print_at_once], ids=["lines", "at once"])
def test_ten_megabytes_of_output(workers: Executor, form: Any) -> None:
    """10 MB of printed lines come home, none lost and all in order."""
    made = run_there(workers, form, 50_000, 200, config=FlowConfig())
    lines = messages(made.flow_run, "stdout")
    assert len(lines) == 50_000
    if form is tasks.print_lines:
        assert lines == [f"{number} {'x' * 200}" for number in range(50_000)]
    else:
        assert set(lines) == {"y" * 200}


def test_one_line_of_ten_megabytes(workers: Executor) -> None:
    """A line of 10 MB is one entry."""
    made = run_there(workers, tasks.print_at_once, 1, 10_000_000, config=FlowConfig())
    assert [len(line) for line in messages(made.flow_run, "stdout")] == [10_000_000]


def test_only_the_newest_lines_are_kept(workers: Executor) -> None:
    """With `max_logs` the newest lines of a worker are kept, and the others counted."""
    made = run_there(workers, tasks.print_lines, 1_000, 1, config=FlowConfig(max_logs=10, record_return_values=False))
    record = made.flow_run
    assert messages(record) == [f"{number} x" for number in range(990, 1_000)]
    assert record.dropped.logs == 990


def test_threads_of_a_task_print_whole_lines(workers: Executor) -> None:
    """What bound threads of a task print in parts is joined thread by thread, and belongs to the task."""
    made = run_there(workers, tasks.print_in_threads, 4, 100)
    record = made.flow_run
    (task,) = record.tasks
    entries = [entry for entry in record.logs if entry.source == "stdout"]
    assert {entry.task_id for entry in entries} == {task.task_id}
    for number in range(4):
        said = [entry.message for entry in entries if entry.message.startswith(f"{number}:")]
        assert said == [f"{number}:{line}:end" for line in range(100)]
    assert len(entries) == 400


def test_an_unbound_thread_prints_past_the_flow(workers: Executor) -> None:
    """A thread that no flow runs in prints to the worker's own output, as it does in the flow's process."""
    assert messages(run_there(workers, tasks.print_in_bare_thread).flow_run, "stdout") == []


def test_nothing_is_told_after_the_end(worker: ProcessExecutor) -> None:
    """A thread that outlives its task in the worker tells nothing to it, nor to the task that runs there now."""
    with Flow[None]() as made, use_executor(worker):
        submit(tasks.leave_a_thread_that_prints).result()
        assert submit(tasks.release_threads).result()
        assert submit(tasks.leaf, 7).result() == 7
    record = made.flow_run
    assert [one.task_name for one in record.tasks] == ["leave_a_thread_that_prints", "release_threads", "leaf"]
    assert messages(record) == ["leaf 7"]


def test_it_comes_home_while_the_task_runs(workers: Executor, gate: Gate) -> None:
    """A listener hears lines, artifacts, results and nested tasks, and the record has them, before the task ends."""
    heard: list[tuple[EventType, str]] = []
    complete = threading.Event()

    def listen(event: FlowEvent) -> None:
        heard.append((event.event_type, event.event_data.task_name or ""))
        if event.event_type is EventType.TASK_STOP:
            complete.set()

    with Flow[None]() as made, use_executor(workers):
        made.add_listener(listen)
        future = submit(tasks.talk_then_wait, gate.address)
        assert complete.wait(20)
        (visitor,) = gate.wait_for()
        assert (future.done(), future.status) == (False, RunStatus.RUNNING)
        record = made.flow_run
        assert messages(record) == [
            "said before the wait",
            "logged before the wait",
            "by logging before the wait",
            "leaf 3",
        ]
        assert [(one.key, one.data) for one in record.artifacts] == [("early", 1)]
        assert [(one.key, one.value) for one in record.results] == [("early", 2)]
        assert [(one.task_name, one.status) for one in record.tasks] == [
            ("talk_then_wait", RunStatus.RUNNING),
            ("leaf", RunStatus.COMPLETED),
        ]
        assert heard == [
            (EventType.FLOW_START, ""),
            (EventType.TASK_START, "talk_then_wait"),
            *[(EventType.FLOW_MESSAGE, "talk_then_wait")] * 3,
            (EventType.NEW_ARTIFACT, "talk_then_wait"),
            (EventType.NEW_RESULT, "talk_then_wait"),
            (EventType.TASK_START, "leaf"),
            (EventType.FLOW_MESSAGE, "leaf"),
            (EventType.TASK_STOP, "leaf"),
        ]
        visitor.let_go()
        assert future.result() == "done"
        assert messages(made.flow_run)[4:] == ["begun ended"]


def test_everybody_hears_it(workers: Executor) -> None:
    """What happens in a worker is told to listeners of the process too, with the names and ids of the record."""
    heard: list[FlowEvent] = []
    with flow_events.subscribe(heard.append, flow_name="f"):
        record = run_there(workers, tasks.call_many).flow_run
    assert [(one.event_type, one.event_data.task_run_id) for one in heard] == [
        (one.event_type, one.event_data.task_run_id) for one in record.events
    ]
    assert {one.event_data.flow_run_id for one in heard} == {record.flow_id}


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_listener_that_interrupts_hurts_no_other_task(worker: ProcessExecutor, kind: type[BaseException]) -> None:
    """What is no `Exception` and is raised by a listener at a line of a worker ends that task; the next one is served."""

    def interrupt(event: FlowEvent) -> None:
        if event.event_data.data["message_data"]["message_text"] == "printed":
            raise kind("by a listener")

    with Flow[None](flow_config=KEEP_EVENTS) as made, use_executor(worker):
        made.add_listener(interrupt, EventType.FLOW_MESSAGE)
        error = submit(tasks.talk).exception()
        assert type(error) is kind
        assert [submit(tasks.leaf, number).result() for number in range(3)] == [0, 1, 2]
    assert [one.status for one in made.flow_run.tasks] == [RunStatus.CANCELLED, *[RunStatus.COMPLETED] * 3]


def test_a_listener_cancels_the_task_it_hears(worker: ProcessExecutor) -> None:
    """A listener may cancel the very task whose line it hears."""
    futures: list[TaskFuture[None]] = []

    def cancel(event: FlowEvent) -> None:
        if event.event_data.data["message_data"]["message_text"] == "99 x":
            futures[0].cancel()

    with Flow[None]() as made, use_executor(worker):
        made.add_listener(cancel, EventType.FLOW_MESSAGE)
        futures.append(submit(tasks.print_lines, 200_000, 1))
        with pytest.raises(asyncio.CancelledError):
            futures[0].result()
        assert submit(tasks.leaf, 1).result() == 1
    record = made.flow_run
    assert record.tasks[0].status is RunStatus.CANCELLED
    lines = [entry.message for entry in record.logs if entry.task_id == record.tasks[0].task_id][:-1]
    assert lines == [f"{number} x" for number in range(len(lines))]
    assert 100 <= len(lines) < 200_000


def test_a_listener_runs_a_flow(workers: Executor) -> None:
    """A listener that hears a line of a worker may run a flow, which submits to the same workers."""
    found: list[Any] = []

    def run(event: FlowEvent) -> None:
        if event.event_data.data["message_data"]["message_text"] == "leaf 1":
            found.append(run_there(workers, tasks.leaf, 2).return_value)

    with Flow[None]() as made, use_executor(workers):
        made.add_listener(run, EventType.FLOW_MESSAGE)
        assert submit(tasks.leaf, 1).result() == 1
    assert found == [2]


class Broken(logging.Handler):
    """A handler, or a filter, that raises."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("broken handler")

    def filter(self, record: logging.LogRecord) -> bool:
        raise OSError("broken filter")


@pytest.mark.parametrize("part", ["handler", "filter of the handler", "filter of the logger"])
def test_a_handler_that_raises_hurts_nobody(worker: ProcessExecutor, part: str) -> None:
    """A handler or filter of the flow's process that raises fails no task of a worker, and no line is lost."""
    broken = Broken()
    handler = logging.NullHandler()
    if part == "handler":
        tasks.LOUD.addHandler(broken)
        broken.filter = handler.filter  # type: ignore[method-assign]
    elif part == "filter of the handler":
        handler.addFilter(broken)
        tasks.LOUD.addHandler(handler)
    else:
        tasks.LOUD.addFilter(broken)
    try:
        with Flow[None]() as made, use_executor(worker):
            submit(tasks.talk).result()
            assert submit(tasks.leaf, 7).result() == 7
    finally:
        tasks.LOUD.handlers.clear()
        tasks.LOUD.filters.clear()
    assert messages(made.flow_run, "logging") == ["logged 1", "in private", "the end"]


def test_handlers_of_the_flow_s_process_hear_it_once(worker: ProcessExecutor) -> None:
    """What a task logs in a worker goes to the handlers where its flow runs, once, also below loggers that do not propagate."""
    heard: list[tuple[str, int, str]] = []

    class Hears(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append((record.name, record.levelno, record.getMessage()))

    handler = Hears()
    loggers = (logging.getLogger(), tasks.PRIVATE)
    for logger in loggers:
        logger.addHandler(handler)
    try:
        with Flow[None](), use_executor(worker):
            submit(tasks.talk).result()
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
    assert heard == [
        (tasks.LOUD.name, logging.INFO, "logged 1"),
        (tasks.PRIVATE.name, logging.ERROR, "in private"),
        (tasks.LOUD.name, logging.CRITICAL, "the end"),
    ]


def test_what_no_handler_hears_is_in_the_log_alone(
    worker: ProcessExecutor, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any handler where the flow runs, what a worker logs is recorded, and no last resort shows it."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with Flow[None]() as made, use_executor(worker):
        submit(tasks.talk).result()
    assert messages(made.flow_run, "logging") == ["logged 1", "in private", "the end"]
    assert capfd.readouterr() == ("", "")


SAID_BEFORE: Final = ["said before the wait", "logged before the wait", "by logging before the wait", "leaf 3"]


def check_said_before(record: FlowRun[Any], status: RunStatus) -> None:
    """What a task had said, found and called before it was stopped is all there, and has ended."""
    assert [line for line in messages(record) if not line.startswith(("task ", "flow "))] == SAID_BEFORE
    assert [(one.key, one.data) for one in record.artifacts] == [("early", 1)]
    assert [(one.key, one.value) for one in record.results] == [("early", 2)]
    outer, middle, inner, leaf = record.tasks
    assert outer.status is status
    assert (leaf.task_name, leaf.status, leaf.return_value) == ("leaf", RunStatus.COMPLETED, 3)
    by_id = {one.task_id: one for one in record.tasks}
    for one in (middle, inner):
        assert one.status in {status, RunStatus.ABANDONED, RunStatus.CANCELLED}
        check_times(one, by_id)


def test_what_was_said_before_a_timeout_is_kept(workers: Executor, gate: Gate) -> None:
    """All that a task and its nested ones said before their worker was killed at the deadline is in the record."""
    with Flow[None]() as made, use_executor(workers):
        error = submit(tasks.talk_then_expire, gate.address).exception()
        assert isinstance(error, TaskTimeoutError)
        check_said_before(made.flow_run, RunStatus.TIMED_OUT)
    check_said_before(made.flow_run, RunStatus.TIMED_OUT)


def test_what_was_said_before_a_cancellation_is_kept(workers: Executor, gate: Gate) -> None:
    """All that a task and its nested ones said before they were cancelled is in the record."""
    with Flow[None]() as made, use_executor(workers):
        future = submit(tasks.talk_then_be_killed, gate.address)
        gate.wait_for()
        assert future.cancel()
    check_said_before(made.flow_run, RunStatus.CANCELLED)


def test_what_was_said_before_a_kill_is_kept(worker: ProcessExecutor, gate: Gate) -> None:
    """All that a task and its nested ones said before somebody killed their worker is in the record."""
    with Flow[None]() as made, use_executor(worker):
        victim = submit(tasks.pid).result()
        future = submit(tasks.talk_then_be_killed, gate.address)
        gate.wait_for()
        os.kill(victim, signal.SIGKILL)
        assert isinstance(future.exception(), WorkerDiedError)
    record = made.flow_run
    check_said_before(record.model_copy(update={"tasks": record.tasks[1:]}), RunStatus.FAILED)


def test_what_was_said_before_a_death_is_kept(workers: Executor) -> None:
    """Whole lines, results and nested tasks of a task that ended its process are in the record."""
    with Flow[None]() as made, use_executor(workers):
        error = submit(tasks.talk_then_die, 3).exception()
    assert isinstance(error, WorkerDiedError)
    assert (error.task_name, error.exit_code, error.ready) == ("talk_then_die", 3, True)
    record = made.flow_run
    assert messages(record)[:3] == ["said before the end", "logged before the end", "leaf 3"]
    assert [(one.key, one.value) for one in record.results] == [("early", 2)]
    assert [(one.task_name, one.status) for one in record.tasks] == [
        ("talk_then_die", RunStatus.FAILED),
        ("leaf", RunStatus.COMPLETED),
    ]


def test_a_flow_inside_a_worker_has_a_record_of_its_own(workers: Executor) -> None:
    """A flow that a task executes in a worker is nested in the submitting flow, and nothing of it is in that one's record."""
    made = run_there(workers, tasks.run_a_flow, 4)
    parent, value, names, lines, own = made.return_value
    assert (parent, value, own) == (made.flow_id, 8, made.flow_id)
    assert (names, lines) == (["leaf", "leaf"], ["in the inner flow", "leaf 4", "leaf 4"])
    record = made.flow_run
    assert [one.task_name for one in record.tasks] == ["run_a_flow"]
    assert messages(record, "stdout") == ["before the inner flow", "after the inner flow"]


def test_the_shared_data_may_be_recorded_there(worker: ProcessExecutor) -> None:
    """The snapshot of the shared data can be an argument of a nested task, an artifact, a result and the value."""
    with Flow[None]() as made, use_executor(worker):
        made.flow_data["rows"] = [1, 2]
        assert submit(tasks.pass_data_on).result() == {"rows": [1, 2]}
        assert submit(tasks.leaf, 7).result() == 7
    record = made.flow_run
    assert record.tasks[1].input_args == [{"rows": [1, 2]}]
    assert [one.data for one in record.artifacts] == [{"rows": [1, 2]}]
    assert [one.value for one in record.results] == [{"rows": [1, 2]}]


def test_the_flow_may_be_handed_on_there(worker: ProcessExecutor) -> None:
    """The flow itself can be an argument of a nested task."""
    with Flow[None](flow_name="outermost") as made, use_executor(worker):
        assert submit(tasks.pass_flow_on).result() == "outermost"
        assert submit(tasks.leaf, 7).result() == 7
    assert [one.task_name for one in made.flow_run.tasks] == ["pass_flow_on", "name_of", "leaf"]
