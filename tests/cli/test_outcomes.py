"""How the command ends: its exit code, and what it says of a flow that did not complete."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowscope import RunStatus

from .conftest import Command, OpenTerminal, Start

INTERRUPTED = """
import asyncio, os, signal, threading
from flowscope import flow, task

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it

@task
def stuck():
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait()

@flow
def blocked():
    stuck()

@task
async def stuck_too():
    await asyncio.Event().wait()

@task
async def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()

@flow
async def waiting():
    await asyncio.gather(stuck_too(), interrupt())
"""


@pytest.mark.parametrize("target", ["flows:failing", "flows:failing_quietly"])
def test_a_failing_flow_exits_with_1_and_tells_its_error(command: Command, target: str) -> None:
    """The traceback goes to standard error, the record is written all the same."""
    outcome = command("run", target, "--json", "run.json")
    assert outcome.code == 1
    assert "LookupError: nothing there" in outcome.err
    assert "flows.py" in outcome.err
    assert "failed in" in outcome.out
    assert "LookupError: nothing there" in outcome.out
    assert outcome.record.status is RunStatus.FAILED
    assert outcome.record.error is not None
    assert outcome.record.error.message == "nothing there"


def test_a_tolerated_failure_leaves_0_and_is_listed(command: Command) -> None:
    """A flow that completes exits with 0, and its summary counts the tasks that failed and names the first."""
    outcome = command("run", "flows:tolerant", "-p", "number=25", "--json", "run.json")
    assert outcome.code == 0
    assert "tolerant completed" in outcome.out
    assert "failed tasks: 25" in outcome.out
    assert "fragile(0)  ValueError: 0 broke" in outcome.out
    assert "... and 15 more" in outcome.out
    assert [task.status for task in outcome.record.tasks] == [RunStatus.FAILED] * 25


@pytest.mark.parametrize("code", [0, 3])
def test_a_flow_that_exits_gives_its_own_code(command: Command, code: int) -> None:
    """`sys.exit` in a flow is the command's exit; the record says cancelled."""
    outcome = command("run", "flows:leaving", "-p", f"code={code}", "--json", "run.json")
    assert outcome.code == code
    assert outcome.record.status is RunStatus.CANCELLED


@pytest.mark.parametrize(("target", "tasks"), [("interrupted:blocked", 1), ("interrupted:waiting", 2)])
def test_an_interrupt_leaves_a_cancelled_record(process: Command, directory: Path, target: str, tasks: int) -> None:
    """Ctrl-C exits with 130, and the record with all its tasks says cancelled, in sync and async flows."""
    (directory / "interrupted.py").write_text(INTERRUPTED, "utf-8")
    outcome = process("run", target, "--json", "run.json")
    assert outcome.code == 130
    assert "cancelled in" in outcome.out
    assert outcome.record.status is RunStatus.CANCELLED
    assert outcome.record.error is not None
    assert [task.status for task in outcome.record.tasks] == [RunStatus.CANCELLED] * tasks


def test_an_interrupt_gives_the_terminal_back(terminal: OpenTerminal, directory: Path) -> None:
    """After Ctrl-C the tree is gone, the summary is there, and the cursor is shown again."""
    (directory / "interrupted.py").write_text(INTERRUPTED, "utf-8")
    screen = terminal("run", "interrupted:blocked", "--json", "run.json")
    assert screen.wait() == 130
    assert "blocked cancelled in" in screen.text
    assert screen.raw.rindex(b"\x1b[?25h") > screen.raw.rindex(b"\x1b[?25l")


def test_an_interrupt_during_the_import_runs_nothing(process: Command, directory: Path) -> None:
    """Ctrl-C before the flow starts exits with 130."""
    (directory / "slow.py").write_text("raise KeyboardInterrupt", "utf-8")
    outcome = process("run", "slow:any")
    assert outcome.code == 130


@pytest.mark.parametrize("target", ["slow:any", "slow.py:any"])
def test_an_interrupt_during_the_import_is_quiet(start: Start, directory: Path, target: str) -> None:
    """Ctrl-C while a module is imported exits with 130, without a traceback or any other word."""
    source = "import signal, sys, threading\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    source += "print('importing', file=sys.stderr, flush=True)\nthreading.Event().wait()\n"
    (directory / "slow.py").write_text(source, "utf-8")
    running = start("run", target, "--json", "run.json")
    running.read_until("importing")
    running.send(signal.SIGINT)
    outcome = running.wait()
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "importing\n")
    assert not (directory / "run.json").exists()


def test_an_interrupt_while_the_command_itself_is_imported_is_quiet(directory: Path) -> None:
    """Ctrl-C before the command has read its arguments exits with 130, too."""
    (directory / "typer.py").write_text("raise KeyboardInterrupt", "utf-8")
    command = [sys.executable, "-m", "flowscope", "--version"]
    ended = subprocess.run(command, cwd=directory, capture_output=True, encoding="utf-8")
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_without_the_extra_the_message_says_how_to_get_it() -> None:
    """Where typer is missing, the command names what to install and exits with 2."""
    for missing in ("typer", "rich"):
        program = f"import sys; sys.modules[{missing!r}] = None; from flowscope.cli import main; main()"
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False)
        assert ended.returncode == 2
        assert 'pip install "flowscope[cli]"' in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_the_library_does_not_load_the_command_line() -> None:
    """`import flowscope` loads none of what the extra brings."""
    program = "import sys, json, flowscope; print(json.dumps(list(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True).stdout
    loaded = set(json.loads(printed))
    assert "flowscope" in loaded
    assert not {"typer", "rich", "flowscope.cli"} & loaded
