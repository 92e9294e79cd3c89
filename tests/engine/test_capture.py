"""What is printed inside a flow becomes log entries of the task that runs."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest

from flowscope import INJECTED, Flow, FlowConfig, LogEntry, current_flow, flow, task


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
        bad: list[Any] = [b"bytes", None, 5]
        for value in bad:
            with pytest.raises(TypeError):
                sys.stdout.write(value)
        with pytest.raises(TypeError):
            sys.stdout.writelines(bad)
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


def test_an_entry_is_a_record() -> None:
    """Entries are LogEntry records, whose JSON names level, source and task."""

    @flow
    def speaking() -> None:
        print("x")

    entry = speaking().execute().captured_logs()[0]
    assert isinstance(entry, LogEntry)
    dumped = entry.model_dump(mode="json")
    assert (dumped["level"], dumped["level_number"], dumped["source"]) == ("INFO", 20, "stdout")
    assert dumped["task_id"] is None
    assert LogEntry.model_validate_json(entry.model_dump_json()) == entry


def test_artifacts_and_results_belong_to_the_running_task() -> None:
    """Whoever adds them, they name the task that runs, and come in order."""

    @task
    def inner(this_flow: Any = INJECTED, this_task: Any = INJECTED) -> None:
        this_flow.add_flow_artifact(key="by flow")
        this_task.add_artifact(key="by task")
        this_flow.add_flow_result("by flow")
        this_task.add_result("by task")

    @task
    def outer(this_task: Any = INJECTED) -> None:
        inner()
        this_task.add_artifact(key="outer")

    @flow
    def making() -> None:
        current_flow().add_flow_artifact(key="before")
        outer()
        current_flow().add_flow_result("after")

    record = making().execute().flow_run
    outer_id, inner_id = (t.task_id for t in record.tasks)
    assert [(a.key, a.task_id) for a in record.artifacts] == [
        ("before", None),
        ("by flow", inner_id),
        ("by task", inner_id),
        ("outer", outer_id),
    ]
    assert [(r.key, r.task_id) for r in record.results] == [
        ("by flow", inner_id),
        ("by task", inner_id),
        ("after", None),
    ]


def test_an_entry_on_another_flow_names_no_task_of_this_one() -> None:
    """What an inner flow's task adds to the outer flow is the outer's, and names no task that the outer lacks."""
    outers: list[Flow[Any]] = []

    @task
    def inner_work() -> None:
        outers[0].log_info("from inside")
        outers[0].add_flow_artifact(key="from inside")

    @flow
    def inner() -> None:
        inner_work()

    @flow
    def outer() -> Flow[None]:
        outers.append(current_flow())
        return inner().execute()

    run = outer().execute()
    ids = {None, *(t.task_id for t in run.flow_run.tasks)}
    assert [e.message for e in run.captured_logs() if e.level == "INFO"] == ["from inside"]
    assert {e.task_id for e in run.captured_logs()} | {a.task_id for a in run.flow_run.artifacts} <= ids
    assert run.return_value.captured_logs() == []
