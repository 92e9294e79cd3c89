"""What is seen of a run: its progress, its log and its summary."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flowscope import FlowRun

from .conftest import Command, OpenTerminal

WAITING = """
import sys
from flowscope import flow, task

@task
def ask():
    return sys.stdin.readline()

@task
def interview():
    return ask()

@flow
def waiting():
    return interview()
"""


def test_every_task_that_ends_is_a_line_below_its_parent(command: Command) -> None:
    """Without a terminal each task is told with its status and duration, under the tasks that called it."""
    outcome = command("run", "flows:calculate")
    told = [re.sub(r"[\d.:]+ (\||µs|ms)", r"\1", line) for line in outcome.err.splitlines()]
    assert [line.rpartition(" in ")[0] or line for line in told] == [
        "| flow 'calculate' started",
        "| task 'quadruple > double' completed",
        "| task 'quadruple > double' completed",
        "| task 'quadruple' completed",
        "| flow 'calculate' completed",
    ]


def test_nested_flows_are_told_as_part_of_the_run(command: Command) -> None:
    """A flow inside the flow is told with its tasks below it."""
    outcome = command("run", "flows:parent")
    assert outcome.err.count("flow 'calculate' started") == 2
    assert outcome.err.count("task 'flow calculate > quadruple > double' completed") == 4
    assert "parent completed" in outcome.out


def test_progress_and_summary_have_a_stream_each(command: Command) -> None:
    """Standard output holds the summary alone, so that it can be redirected."""
    outcome = command("run", "flows:calculate")
    assert outcome.out.startswith("calculate completed in ")
    assert "started" not in outcome.out


def test_the_summary_has_the_timings_by_task(command: Command) -> None:
    """Each task name has its count and its total, mean and longest duration."""
    outcome = command("run", "flows:calculate")
    heading = next(line for line in outcome.out.splitlines() if "count" in line)
    assert heading.split() == ["task", "count", "total", "mean", "max"]
    row = next(line for line in outcome.out.splitlines() if line.split()[:1] == ["double"])
    assert re.fullmatch(r"\s*double\s+2(\s+[\d.]+ (µs|ms|s)){3}\s*", row)


def test_the_summary_has_what_the_flow_made(command: Command) -> None:
    """Artifacts, results and a short form of the return value are listed."""
    outcome = command("run", "flows:talking")
    assert "artifacts: 1\n  report  all of it (table)\n" in outcome.out
    assert "results: 1\n  score  how good it was: 42\n" in outcome.out
    assert "returned  [0, 1, 2, " in outcome.out
    assert max(map(len, outcome.out.splitlines())) < 220


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], {"a warning", "an error"}),
        (["--log-level", "ERROR"], {"an error"}),
        (["--log-level", "critical"], set[str]()),
        (["--log-level", "info"], {"a print", "a note", "a warning", "an error"}),
        (["--log-level", "DEBUG"], {"a print", "a detail", "a note", "a warning", "an error"}),
    ],
)
def test_log_entries_are_shown_from_a_level_on(command: Command, options: list[str], shown: set[str]) -> None:
    """By default from WARNING on; what the flow prints and logs is captured, and shown as entries only."""
    outcome = command("run", "flows:talking", *options)
    assert outcome.code == 0
    entries = {"a print", "a detail", "a note", "a warning", "an error"}
    assert {entry for entry in entries if re.search(rf"\| \w+ +\| {entry}$", outcome.err, re.M)} == shown
    assert not any(entry in outcome.out for entry in entries)


def test_an_unknown_level_is_refused(command: Command) -> None:
    """A level that does not exist exits with 2, and nothing runs."""
    outcome = command("run", "flows:Ingest", "-p", "source=a", "--log-level", "loud")
    assert outcome.code == 2
    assert not outcome.ran


def test_a_terminal_shows_the_tree_of_what_is_running(terminal: OpenTerminal, directory: Path) -> None:
    """While the flow waits, the terminal shows its tasks under their parents; when it ends, the summary."""
    (directory / "asking.py").write_text(WAITING, "utf-8")
    screen = terminal("run", "asking.py:waiting")
    screen.read_until(r"\n    ask +0 done +1 running .*\n?")
    tree = [line.partition("running")[0].rstrip() for line in screen.text.splitlines()[-3:]]
    assert [re.sub(r"(?<=\w) +", " ", line) for line in tree] == [
        "waiting 1",
        "  interview 0 done 1",
        "    ask 0 done 1",
    ]
    screen.write("go on\n")
    assert screen.wait() == 0
    assert "waiting completed in" in screen.text
    assert "returned  'go on\\n'" in screen.text


def test_a_terminal_is_not_flooded(terminal: OpenTerminal) -> None:
    """Thousands of tasks are a row with a count, not thousands of lines."""
    screen = terminal("run", "flows:many", "-p", "number=3000")
    assert screen.wait() == 0
    assert re.search(r"  double +3000 done", screen.text)
    assert screen.text.count("\n") < 300


def test_log_entries_scroll_above_the_tree(terminal: OpenTerminal) -> None:
    """On a terminal log entries are shown too, and a flood of them is cut."""
    screen = terminal("run", "flows:tolerant", "-p", "number=2000")
    assert screen.wait() == 0
    assert "| ERROR    | task 'fragile' failed: ValueError: 0 broke" in screen.text
    assert "failed tasks: 2000" in screen.text
    assert re.search(r"\.\.\. and \d+ more log entries", screen.text)


def test_thousands_of_names_stay_a_bounded_tree(terminal: OpenTerminal, directory: Path) -> None:
    """A flow that makes up names for its tasks does not fill the screen beyond its height."""
    source = "from flowscope import Task, flow\n@flow\ndef naming():\n    for one in range(1_000):\n"
    source += "        task = Task(lambda: None)\n        task.task_name = f'step {one}'\n        task.execute_sync()\n"
    (directory / "naming.py").write_text(source, "utf-8")
    screen = terminal("run", "naming.py:naming")
    assert screen.wait() == 0
    before_summary, _, _ = screen.text.partition("naming completed")
    assert "step 1 " in before_summary
    assert "step 900" not in before_summary
    assert re.search(r"\.\.\. and \d+ more", before_summary)


def test_markup_in_names_is_text(command: Command, directory: Path) -> None:
    """Square brackets in names and values are shown as they are."""
    source = "from flowscope import flow, task\n@task(task_name='[bold]step[/bold]')\ndef step(): pass\n"
    source += "@flow(flow_name='[red]x')\ndef run():\n    step()\n    return '[green]y'\n"
    (directory / "markup.py").write_text(source, "utf-8")
    outcome = command("run", "markup.py:run")
    assert outcome.code == 0
    assert "[red]x completed" in outcome.out
    assert "[bold]step[/bold]" in outcome.out
    assert "returned  '[green]y'" in outcome.out


def test_a_stream_that_cannot_encode_does_not_hurt(directory: Path) -> None:
    """What an ASCII console cannot show is escaped."""
    source = "from flowscope import flow, task\n@task(task_name='größe')\ndef step(): pass\n"
    source += "@flow(flow_name='grün')\ndef run():\n    step()\n    return 'ü'\n"
    (directory / "wide.py").write_text(source, "utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "flowscope.cli", "run", "wide.py:run"],
        cwd=directory,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        encoding="ascii",
        check=False,
    )
    assert ended.returncode == 0
    assert r"gr\xfcn completed" in ended.stdout
    assert r"gr\xf6\xdfe" in ended.stderr


def test_a_reader_that_leaves_does_not_end_the_run(directory: Path) -> None:
    """Progress that nobody reads any more is lost; the run goes on and its record is written."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "flowscope.cli", "run", "flows:many", "--json", "run.json"],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=writer,
        check=False,
    )
    os.close(writer)
    assert b"many completed" in ended.stdout
    record = FlowRun.model_validate_json((directory / "run.json").read_text("utf-8"))
    assert len(record.tasks) == 3_000
