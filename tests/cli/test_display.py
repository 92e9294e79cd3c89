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
        ([], {"a print", "a note", "a warning", "an error"}),
        (["--log-level", "ERROR"], {"an error"}),
        (["--log-level", "critical"], set[str]()),
        (["--log-level", "warning"], {"a warning", "an error"}),
        (["--log-level", "DEBUG"], {"a print", "a detail", "a note", "a warning", "an error"}),
    ],
)
def test_log_entries_are_shown_from_a_level_on(command: Command, options: list[str], shown: set[str]) -> None:
    """By default from INFO on, prints included; what the flow prints and logs is captured, and shown as entries only."""
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


HOSTILE = r"""
import sys
from flowscope import INJECTED, Flow, flow, task

EVIL = "x\x1b]0;pwned\x07\x9b2J\r\u202e\u2028y"
FORGED = EVIL + "\n12:00:00.000 | flow 'forged' completed in 1 s\nforged completed in 1 s"

class Shown:
    def __repr__(self):
        return FORGED

@task(task_name=FORGED)
def step():
    raise ValueError(FORGED)

@task(task_name=FORGED, raise_on_error=False)
def tolerated():
    raise ValueError(FORGED)

@flow(flow_name=FORGED)
def hostile(fails: bool = False, this_flow: Flow = INJECTED):
    tolerated()
    print(FORGED)
    this_flow.log_error(FORGED)
    this_flow.add_flow_artifact(FORGED, FORGED, 1, FORGED)
    this_flow.add_flow_result(FORGED, FORGED, Shown())
    if fails:
        step()
    return Shown()

@flow(flow_name=FORGED)
def leaving():
    sys.exit(FORGED)

@flow
def numbering(number: int):
    pass
"""

HOSTILE_RUNS = [["hostile"], ["hostile", "-pfails=true"], ["leaving"]]
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize("args", HOSTILE_RUNS)
def test_foreign_text_neither_steers_the_terminal_nor_forges_a_line(
    command: Command, directory: Path, args: list[str]
) -> None:
    """Names, messages, errors and values are shown with their control characters escaped, within their own lines."""
    (directory / "evil.py").write_text(HOSTILE, "utf-8")
    outcome = command("run", f"evil.py:{args[0]}", *args[1:])
    assert outcome.code == (0 if args == ["hostile"] else 1)
    for line in (outcome.out + outcome.err).splitlines():
        assert not CONTROLS.search(line)
        assert not line.startswith("forged")
    assert not re.search(r"^[\d:.]{12} \| flow 'forged'", outcome.err, re.M)


@pytest.mark.parametrize("args", HOSTILE_RUNS)
def test_on_a_terminal_too(terminal: OpenTerminal, directory: Path, args: list[str]) -> None:
    """What draws the tree and the colours are the command's own control sequences alone."""
    (directory / "evil.py").write_text(HOSTILE, "utf-8")
    screen = terminal("run", f"evil.py:{args[0]}", *args[1:])
    screen.wait()
    assert "\\x1b]0;pwned" in screen.text
    assert b"\x1b]" not in screen.raw
    assert b"\x07" not in screen.raw
    assert not CONTROLS.search(screen.text)
    assert not re.search(r"^(forged|[\d:.]{12} \| flow 'forged')", screen.text, re.M)


def test_a_refusal_is_one_plain_line(command: Command, directory: Path) -> None:
    """What is wrong with the command is told without what could steer the terminal."""
    (directory / "evil.py").write_text(HOSTILE, "utf-8")
    (directory / "raising.py").write_text("raise ValueError('x\\x1b[2J\\nerror: forged')", "utf-8")
    for args in (["evil.py:numbering", "-pnumber=1", "-px\x1b[2J\ny=1"], ["evil.py:no\x1b[2J\n"], ["raising.py:any"]):
        outcome = command("run", *args)
        assert outcome.code == 2
        assert outcome.err.startswith("error: ")
        assert outcome.err.count("\n") == 1
        assert not CONTROLS.search(outcome.err)


def test_the_lines_of_one_entry_stay_together(command: Command, directory: Path) -> None:
    """A log entry of several lines is shown with its lines under each other."""
    source = "from flowscope import INJECTED, Flow, flow\n@flow\ndef run(this_flow: Flow = INJECTED):\n"
    source += "    this_flow.log_info('first\\n\\tsecond')\n"
    (directory / "lines.py").write_text(source, "utf-8")
    outcome = command("run", "lines.py:run")
    assert re.search(r"^[\d:.]{12} \| INFO     \| first\n {12} \|          \|         second$", outcome.err, re.M)


def test_an_error_without_a_message_is_its_type(command: Command, directory: Path) -> None:
    """No colon stands before nothing."""
    source = "from flowscope import flow, task\n@task(raise_on_error=False)\ndef step():\n    raise LookupError\n"
    source += "@flow\ndef run():\n    step()\n    raise KeyError\n"
    (directory / "silent.py").write_text(source, "utf-8")
    outcome = command("run", "silent.py:run")
    assert re.search(r"^run failed in .*: KeyError$", outcome.out, re.M)
    assert "\n  step()  LookupError\n" in outcome.out


def test_a_captured_record_of_standard_logging_is_shown_once(process: Command, directory: Path) -> None:
    """A program without handlers gets no second, raw line on standard error, but for what its flow does not capture."""
    source = "import logging, threading\nfrom flowscope import FlowConfig, flow\nlog = logging.getLogger('lib')\n"
    source += "@flow\ndef run():\n    log.warning('inside')\n"
    source += (
        "    thread = threading.Thread(target=log.warning, args=['outside'])\n    thread.start()\n    thread.join()\n"
    )
    source += "@flow(flow_config=FlowConfig(capture_logging=False))\ndef open_run():\n    log.warning('open')\n"
    (directory / "logging_flows.py").write_text(source, "utf-8")
    outcome = process("run", "logging_flows.py:run")
    assert outcome.err.count("inside") == 1
    assert re.search(r"\| WARNING  \| inside$", outcome.err, re.M)
    assert outcome.err.count("outside") == 1
    assert process("run", "logging_flows.py:open_run").err.count("open\n") == 1


FAILING = """
from dataclasses import dataclass
from flowscope import INJECTED, Flow, FlowConfig, flow, map_tasks, submit, task

@dataclass
class Login:
    user: str
    password: str

@task(raise_on_error=False)
def check(row, *, unit="m", token=None, this_task=INJECTED):
    raise ValueError("bad")

@task(raise_on_error=False)
async def check_async(row):
    raise ValueError("bad")

@task(raise_on_error=False)
def items(row):
    yield row
    raise ValueError("bad")

@task(raise_on_error=False, executor="process")
def check_elsewhere(row):
    raise ValueError("bad")

@task(raise_on_error=False, executor="thread", retries=1)
def check_again(row):
    raise ValueError("bad")

class Table:
    @task(raise_on_error=False)
    def check_cell(self, row, column):
        raise ValueError("bad")

@flow(flow_config=FlowConfig(raise_flow_error=False))
def inner(day, password=""):
    check(day)
    raise ValueError("bad")

@flow
def direct():
    check(1)
    check(row=2, unit="km")
    check()
    Table().check_cell(3, column="a")
    list(items(4))

@flow
def others():
    submit(check_async, 5).result()
    check_elsewhere(6)
    check_again(7)
    submit(check, 8).result()
    list(map_tasks(check_async, [9]))

@flow
def nested():
    inner("monday", password="from 9 to 5").execute()

@flow
def secret():
    check(Login("ann", "opensesame"), token="opensesame")

@flow
def long():
    check("x" * 1_000)
    check("a\\x1b[2J\\nb")

@flow(flow_config=FlowConfig(record_inputs=False))
def silent():
    check(1)

@flow(flow_config=FlowConfig(add_task_to_self=False))
def counted():
    check(1)
"""


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("direct", ["check(1)", "check(row=2, unit='km')", "check()", "check_cell(3, column='a')", "items(4)"]),
        ("others", ["check_async(5)", "check_elsewhere(6)", "check_again(7)", "check(8)", "check_async(9)"]),
        ("nested", ["flow inner > check('monday')", "flow inner(day='monday', password='**********')"]),
        ("secret", ["check({'password': '**********', 'user': 'ann'}, token='**********')"]),
        ("long", [f"check('{'x' * 76}...)", r"check('a\x1b[2J\nb')"]),
        ("silent", ["check"]),
        ("counted", ["check"]),
    ],
)
def test_failed_tasks_are_listed_with_their_inputs(
    command: Command, directory: Path, target: str, shown: list[str]
) -> None:
    """A failed task is listed as it was called, whatever its kind and place; masked and cut, and only if recorded."""
    (directory / "failing.py").write_text(FAILING, "utf-8")
    outcome = command("run", f"failing.py:{target}")
    assert outcome.code == 0
    listed = outcome.out.partition("failed tasks:")[2].splitlines()[1:]
    assert [line.strip().rpartition("  ")[0] for line in listed if "Error: " in line] == shown


NAMES = """
import sys
from flowscope import flow, task

@task(task_name="the_task_with_the_longest_name_that_there_is_in_this_flow")
def named(number):
    return ask(number)

@task(task_name="größe_計算")
def ask(number):
    return sys.stdin.readline() if number else ""

@flow
def naming():
    named(0)
    named(1)
"""


@pytest.mark.parametrize(
    ("columns", "tree", "row"),
    [
        (100, r"  the_task_with_the_longest_name_\w*…? +1 done  1 running .*max [\d.]+ m?s", 5),
        (48, r"  the_task_with_\w*…? +1 done  1 running *\n", 4),
        (30, r"  the_task_with_\w*… +1 done *\n", 2),
        (12, r"  the_task_…\n", 1),
    ],
)
def test_a_long_name_leaves_the_numbers_their_place(
    terminal: OpenTerminal, directory: Path, columns: int, tree: str, row: int
) -> None:
    """Names are cut before numbers are; a narrow terminal has fewer columns, all of them readable."""
    (directory / "naming.py").write_text(NAMES, "utf-8")
    screen = terminal("run", "naming.py:naming", columns=columns)
    screen.read_until(tree)
    screen.write("go on\n")
    assert screen.wait() == 0
    summary = screen.text.rpartition("naming completed")[2]
    heading = next(line for line in summary.splitlines() if line.split()[:1] == ["task"])
    assert len(heading.split()) <= row
    assert "…" not in summary


def test_levels_are_coloured_on_a_terminal(terminal: OpenTerminal) -> None:
    """A warning is yellow and an error red, on a terminal alone."""
    screen = terminal("run", "flows:talking")
    assert screen.wait() == 0
    assert re.search(rb"\x1b\[33mWARNING \x1b\[0m \| a warning", screen.raw)
    assert re.search(rb"\x1b\[31mERROR   \x1b\[0m \| an error", screen.raw)
