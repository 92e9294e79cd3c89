"""What is printed inside a flow becomes log entries of the task that runs."""

import contextlib
import io
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest

from flowscope import Flow, FlowConfig, LogEntry, current_flow, flow, task


def printed(run: Flow[Any]) -> list[str]:
    return [entry.message for entry in run.captured_logs() if entry.source in {"stdout", "stderr"}]


@task
def say(*parts: object, end: str = "\n") -> None:
    print(*parts, end=end)


def test_prints_become_entries_of_the_running_task(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints of the flow and of nested tasks are recorded in order, at INFO, with their task, and not echoed."""

    @task
    def inner() -> None:
        print("inner")

    @task
    def outer() -> None:
        print("outer before")
        inner()
        print("outer after")

    @flow
    def speaking() -> None:
        print("flow before")
        outer()
        print("to stderr", file=sys.stderr)
        current_flow().log_info("logged")
        print("flow after")

    run = speaking().execute()
    first, second = (t.task_id for t in run.flow_run.tasks)
    logs = run.captured_logs()
    assert [(e.message, e.task_id, e.source) for e in logs] == [
        ("flow before", None, "stdout"),
        ("outer before", first, "stdout"),
        ("inner", second, "stdout"),
        ("outer after", first, "stdout"),
        ("to stderr", None, "stderr"),
        ("logged", None, "log"),
        ("flow after", None, "stdout"),
    ]
    assert {(e.level, e.level_number) for e in logs} == {("INFO", 20)}
    assert [e.timestamp for e in logs] == sorted(e.timestamp for e in logs)
    assert capsys.readouterr() == ("", "")
    assert run.flow_run.logs == logs


def test_text_is_split_at_newlines() -> None:
    """One write of several lines is several entries, empty lines included."""

    @flow
    def lines() -> None:
        print("a\nb\n\nc")
        sys.stdout.writelines(["d\n", "e", "f\n"])
        sys.stdout.write("")
        print()

    assert printed(lines().execute()) == ["a", "b", "", "c", "d", "ef", ""]


def test_write_answers_as_a_stream_does() -> None:
    """write() returns how many characters it took, and refuses what is no text as the real stream would."""

    @flow
    def writing() -> int:
        bad: Any = b"bytes"
        for value in (bad, None, 5):
            with pytest.raises(TypeError):
                sys.stdout.write(value)
        with pytest.raises(TypeError):
            sys.stdout.writelines([bad])
        return sys.stdout.write("four")

    run = writing().execute()
    assert run.return_value == 4
    assert printed(run) == ["four"]


def test_text_of_a_subclass_of_str_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """What is written as a subclass of str is recorded like other text, and not echoed."""

    class Markup(str):
        __slots__ = ()

        def __str__(self) -> str:
            return self

    class Colour(StrEnum):
        RED = "red"

    @flow
    def writing() -> None:
        print(Markup("<b>"))
        print(Colour.RED)
        sys.stdout.write(Colour.RED)
        sys.stdout.write("\n")

    run = writing().execute()
    assert printed(run) == ["<b>", "red", "red"]
    assert capsys.readouterr().out == ""
    assert all(type(e.message) is str for e in run.captured_logs())


def test_partial_lines_are_joined_per_task() -> None:
    """Pieces of a line are one entry of the task that printed them, though other tasks print in between."""

    @flow
    def pieces() -> None:
        print("flow ", end="")
        say("task ", end="")
        print("goes ", end="")
        say("a", "b", end="|")
        print("on")

    run = pieces().execute()
    assert sorted(printed(run)) == ["a b|", "flow goes on", "task "]
    by_message = {e.message: e.task_id for e in run.captured_logs()}
    assert by_message["flow goes on"] is None
    assert [by_message["task "], by_message["a b|"]] == [t.task_id for t in run.flow_run.tasks]


def test_a_partial_line_is_flushed_when_its_task_ends() -> None:
    """It comes before what the caller prints next, and before the entries about the task's end."""

    @task(raise_on_error=False)
    def failing() -> None:
        print("almost", end="")
        raise ValueError("boom")

    @task
    def steps() -> Iterator[int]:
        print("step", end="")
        yield 1

    @flow(flow_config=FlowConfig(print_finished_message=True))
    def ending() -> None:
        say("partial", end="")
        print("next")
        failing()
        list(steps())

    run = ending().execute()
    messages = [e.message for e in run.captured_logs()]
    assert printed(run) == ["partial", "next", "almost", "step"]
    assert messages.index("partial") < next(i for i, m in enumerate(messages) if "'say' finished" in m)
    assert messages.index("almost") < next(i for i, m in enumerate(messages) if "boom" in m)
    assert messages.index("step") < next(i for i, m in enumerate(messages) if "'steps' finished" in m)


@pytest.mark.parametrize("fails", [False, True], ids=["completed", "failed"])
def test_a_partial_line_is_flushed_before_the_flow_ends(fails: bool) -> None:
    """What the flow printed last is recorded, before its return value or its error."""

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def ending() -> int:
        print("out", end="")
        print("err", end="", file=sys.stderr)
        if fails:
            raise ValueError("boom")
        return 1

    logs = ending().execute().captured_logs()
    assert [(e.message, e.source) for e in logs[:2]] == [("out", "stdout"), ("err", "stderr")]
    assert ("boom" if fails else "return value") in logs[2].message
    assert len(logs) == 3


def test_entries_are_plain_text() -> None:
    """ANSI sequences are stripped, also those that arrive in pieces; lone surrogates are escaped; JSON works."""

    @flow
    def colours() -> None:
        print("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07 \x1b(Bplain")
        print("\x1b[3", end="")
        print("2mgreen", "\x1b[0m")
        current_flow().log_info("\x1b[4munderlined\x1b[0m")
        print("half \ud83d of \udfff")

    run = colours().execute()
    messages = [e.message for e in run.captured_logs()]
    assert messages == ["red link plain", "green ", "underlined", "half \\ud83d of \\udfff"]
    record = type(run.flow_run).model_validate_json(run.flow_run.model_dump_json())
    assert [e.message for e in record.logs] == messages


def test_other_files_are_untouched(capsys: pytest.CaptureFixture[str]) -> None:
    """print(file=...) to anything else goes there and nowhere else, the real stdout included."""
    assert sys.__stdout__ is not None
    before = sys.stdout
    buffer = io.StringIO()

    @flow
    def writing() -> None:
        print("buffered", file=buffer)
        print("real", file=before)

    run = writing().execute()
    assert buffer.getvalue() == "buffered\n"
    assert capsys.readouterr().out == "real\n"
    assert printed(run) == []


def test_redirect_stdout_around_a_flow() -> None:
    """A flow inside a redirection still records its prints, and the redirection gets what comes before and after."""
    buffer = io.StringIO()
    outside = sys.stdout
    with contextlib.redirect_stdout(buffer):
        print("before")
        run = named_prints("inside").execute()
        print("after")
        assert sys.stdout is buffer
    assert sys.stdout is outside
    assert printed(run) == ["inside"]
    assert buffer.getvalue() == "before\nafter\n"


@flow
def named_prints(text: str) -> None:
    print(text)


def test_redirect_stdout_inside_a_flow() -> None:
    """A redirection inside a flow gets the prints, also after a nested flow has run within it."""
    buffer = io.StringIO()

    @flow
    def redirecting() -> Flow[None]:
        with contextlib.redirect_stdout(buffer):
            print("one")
            nested = named_prints("nested").execute()
            print("two")
            say("three")
        print("recorded")
        return nested

    outside = sys.stdout
    run = redirecting().execute()
    assert sys.stdout is outside
    assert buffer.getvalue() == "one\ntwo\nthree\n"
    assert printed(run) == ["recorded"]
    assert printed(run.return_value) == ["nested"]


def test_stdout_that_the_user_has_replaced_stays() -> None:
    """A flow that leaves another object at sys.stdout finds it there afterwards; later flows restore to that."""
    mine = io.StringIO()

    @flow
    def replacing() -> None:
        sys.stdout = mine

    outside = sys.stdout
    try:
        replacing().execute()
        assert sys.stdout is mine
        run = named_prints("recorded").execute()
        assert sys.stdout is mine
    finally:
        sys.stdout = outside
    assert printed(run) == ["recorded"]
    assert mine.getvalue() == ""


def test_streams_are_restored_after_any_end() -> None:
    """sys.stdout and sys.stderr are the objects they were, however the flow ends."""
    before = (sys.stdout, sys.stderr)

    @flow
    def ending(error: Any) -> None:
        assert sys.stdout is not before[0]
        if error is not None:
            raise error

    for error in (None, ValueError(), KeyboardInterrupt(), SystemExit()):
        with contextlib.suppress(ValueError, KeyboardInterrupt, SystemExit):
            ending(error).execute()
        assert (sys.stdout, sys.stderr) == before
        assert sys.stdout is before[0]


def test_the_stream_of_a_flow_looks_real(capsys: pytest.CaptureFixture[str]) -> None:
    """Encoding, isatty, flush, writable and the underlying buffer are those of the real stream."""
    real = sys.stdout

    @flow
    def looking() -> None:
        assert sys.stdout.encoding == real.encoding
        assert sys.stdout.isatty() == real.isatty()
        assert sys.stdout.writable()
        assert sys.stdout.errors == real.errors
        print("x", flush=True)
        sys.stdout.flush()

    assert printed(looking().execute()) == ["x"]


def test_an_entry_is_a_record() -> None:
    """Entries are LogEntry records, whose JSON names level, source and task."""
    entry = named_prints("x").execute().captured_logs()[0]
    assert isinstance(entry, LogEntry)
    dumped = entry.model_dump(mode="json")
    assert (dumped["level"], dumped["level_number"], dumped["source"]) == ("INFO", 20, "stdout")
    assert dumped["task_id"] is None
    assert LogEntry.model_validate_json(entry.model_dump_json()) == entry
