"""What a flow's config changes about its log and capture."""

import logging
import re
import sys
from itertools import count
from typing import Any

import pytest

from flowscope import EventType, Flow, FlowConfig, FlowEvent, current_flow, flow, flow_events, task

_numbers = count(1)


def new_logger() -> logging.Logger:
    """A logger that lets everything through, does not propagate and has no handler."""
    made = logging.getLogger(f"{__name__}-{next(_numbers)}")
    made.setLevel(logging.DEBUG)
    made.propagate = False
    made.addHandler(logging.NullHandler())
    return made


library = new_logger()


@task
def speak() -> None:
    print("printed")
    print("error", file=sys.stderr)
    library.info("library")
    current_flow().log_info("own")


@flow
def spoken() -> None:
    speak()


def configured(**options: Any) -> Flow[None]:
    """A flow that prints to both streams, logs through a library and of its own."""

    @flow(flow_config=FlowConfig(**options))
    def speaking() -> None:
        speak()

    return speaking()


def by_source(run: Flow[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in run.captured_logs():
        found.setdefault(entry.source, []).append(entry.message)
    return found


def test_by_default_everything_is_captured_and_nothing_echoed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without any option all four sources are recorded, and the console stays empty."""
    run = configured().execute()
    assert by_source(run) == {"stdout": ["printed"], "stderr": ["error"], "logging": ["library"], "log": ["own"]}
    assert capsys.readouterr() == ("", "")


def test_without_capture_stdout_prints_are_real(capsys: pytest.CaptureFixture[str]) -> None:
    """`capture_stdout=False` leaves both streams alone, and the rest is recorded as always."""
    before = (sys.stdout, sys.stderr)
    run = configured(capture_stdout=False).execute()
    assert by_source(run) == {"logging": ["library"], "log": ["own"]}
    assert capsys.readouterr() == ("printed\n", "error\n")
    assert (sys.stdout, sys.stderr) == before


def test_without_capture_logging_records_are_not_kept() -> None:
    """`capture_logging=False` records no standard logging, and the handlers still get it."""
    run = configured(capture_logging=False).execute()
    assert by_source(run) == {"stdout": ["printed"], "stderr": ["error"], "log": ["own"]}


def test_without_logging_nothing_is_captured_and_no_message_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    """`logging_enabled=False` keeps no entries, captures nothing and emits no message events."""
    events: list[FlowEvent] = []
    with flow_events.subscribe(events.append):
        run = configured(logging_enabled=False, print_finished_message=True).execute()
    assert run.captured_logs() == []
    assert capsys.readouterr() == ("printed\n", "error\n")
    assert EventType.FLOW_MESSAGE not in {e.event_type for e in events}
    assert [e.event_type for e in events] == ["flow_start", "task_start", "task_stop", "flow_stop"]


def test_a_nested_flow_that_does_not_capture_is_not_captured_by_the_outer_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a flow with capture off prints and logs is real, though the flow around it captures."""

    @flow
    def outer() -> None:
        print("outer")
        configured(logging_enabled=False).execute()

    run = outer().execute()
    assert by_source(run) == {"stdout": ["outer"]}
    assert capsys.readouterr() == ("printed\n", "error\n")


def test_log_to_console_echoes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    """`log_to_console=True` records as always and also shows each line once, on its own stream, in every flow."""
    for _ in range(3):
        run = configured(log_to_console=True).execute()
        assert by_source(run) == {"stdout": ["printed"], "stderr": ["error"], "logging": ["library"], "log": ["own"]}
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 9
    assert lines.count("printed") == 3
    assert sum(line.endswith("| INFO     | own") for line in lines) == 3
    assert sum(line.endswith("| INFO     | library") for line in lines) == 3
    assert err == "error\n" * 3


def test_a_console_that_raises_does_not_hurt_the_run() -> None:
    """A stream whose write fails in any way loses the echo and nothing else."""

    class Broken:
        encoding = "utf-8"

        def write(self, text: str) -> int:
            raise RuntimeError("the widget is gone")

        def flush(self) -> None: ...

    before = sys.stdout
    broken: Any = Broken()
    sys.stdout = broken
    try:
        run = configured(log_to_console=True, print_logs=True).execute()
        run.print_log_messages()
    finally:
        sys.stdout = before
    assert run.succeeded
    assert by_source(run)["stdout"] == ["printed"]
    assert by_source(run)["log"] == ["own"]


def test_print_logs_prints_the_log_once_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """`print_logs=True` shows exactly the log messages, once, when the flow has ended, and records nothing by it."""
    run = configured(print_logs=True).execute()
    printed = capsys.readouterr().out.splitlines()
    assert printed == run.log_messages()
    assert len(printed) == 4
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} \| INFO     \| printed", printed[0])
    assert [line.split(" | ", 2)[2] for line in printed] == [e.message for e in run.captured_logs()]


def test_print_logs_of_a_nested_flow_is_not_captured(capsys: pytest.CaptureFixture[str]) -> None:
    """The log that a nested flow prints goes to the real stdout, once, and not into the outer log."""

    @flow(flow_config=FlowConfig(print_logs=True))
    def outer() -> list[str]:
        return configured(print_logs=True).execute().log_messages()

    run = outer().execute()
    printed = capsys.readouterr().out.splitlines()
    assert printed == run.return_value + run.log_messages()
    assert by_source(run).keys() == {"log"}


def test_without_memory_no_entry_is_kept_and_messages_still_flow() -> None:
    """`log_to_memory=False` keeps no logs, drops none, and emits the same message events."""
    events: list[FlowEvent] = []
    with flow_events.subscribe(events.append, EventType.FLOW_MESSAGE):
        run = configured(log_to_memory=False).execute()
    assert run.captured_logs() == run.flow_run.logs == []
    assert run.log_messages() == []
    assert [e.event_data.data["message_data"]["message_text"] for e in events] == ["printed", "error", "library", "own"]
    assert run.flow_run.dropped.logs == 0


@pytest.mark.parametrize(("limit", "kept"), [(0, []), (3, [7, 8, 9]), (10, list(range(10))), (None, list(range(10)))])
def test_max_logs_keeps_the_newest_and_counts_the_rest(limit: int | None, kept: list[int]) -> None:
    """The log is a ring of `max_logs`; what was dropped is counted, and events are not affected."""
    events: list[FlowEvent] = []

    @flow(flow_config=FlowConfig(max_logs=limit))
    def many() -> None:
        for i in range(10):
            print(i)

    with flow_events.subscribe(events.append, EventType.FLOW_MESSAGE):
        record = many().execute().flow_run
    assert [int(e.message) for e in record.logs] == kept
    assert record.dropped.logs == 10 - len(kept)
    assert len(events) == 10


def test_prints_below_the_level_are_real(capsys: pytest.CaptureFixture[str]) -> None:
    """With a level above INFO prints are not recorded, and not lost either: they are real."""
    run = configured(log_level="WARNING").execute()
    assert run.captured_logs() == []
    assert capsys.readouterr() == ("printed\n", "error\n")


def test_the_librarys_own_entries_have_their_levels() -> None:
    """A failing task and flow are ERROR, a retry WARNING, a return value DEBUG."""

    @task(retries=1, raise_on_error=False)
    def flaky() -> None:
        raise ValueError("boom")

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def failing() -> None:
        flaky()
        raise LookupError("lost")

    @flow
    def returning() -> int:
        return 3

    logs = failing().execute().captured_logs()
    assert [(e.level, e.source) for e in logs] == [("WARNING", "log"), ("ERROR", "log"), ("ERROR", "log")]
    assert "flaky" in logs[0].message
    assert "boom" in logs[1].message
    assert "lost" in logs[2].message
    assert logs[0].task_id == logs[1].task_id is not None
    assert logs[2].task_id is None
    [value] = returning().execute().captured_logs()
    assert (value.level, "3" in value.message) == ("DEBUG", True)


def test_messages_that_are_asked_for() -> None:
    """None is logged only with `print_none_return_value`, finishes and tracebacks only with their flags."""

    @task(raise_on_error=False)
    def failing() -> None:
        raise ValueError("boom")

    def messages(**options: Any) -> list[str]:
        @flow(flow_config=FlowConfig(**options))
        def plain() -> None:
            failing()

        return [e.message for e in plain().execute().captured_logs()]

    base = messages()
    assert len(base) == 1
    assert len(messages(print_none_return_value=True)) == 2
    assert "None" in messages(print_none_return_value=True)[-1]
    finished = messages(print_finished_message=True)
    assert [("failing" in m, "plain" in m) for m in finished if "finished" in m] == [(True, False), (False, True)]
    traced = messages(print_error_stack_trace=True)
    assert len(traced) == 2
    assert "Traceback" in traced[1]
    assert "raise ValueError" in traced[1]
