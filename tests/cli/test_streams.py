"""The flow runs and its outcome is told, also where nobody can read what the command prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowscope import FlowRun, RunStatus

from .conftest import OpenTerminal

CHATTY = r"""
import subprocess, sys
from flowscope import FlowConfig, flow, task

CHILD = "import os\ntry: os.write(1, b'a child')\nexcept BrokenPipeError: pass"

@task
def talk():
    print("to stdout")
    print("to stderr", file=sys.stderr)

@flow(flow_config=FlowConfig(log_to_console=True))
def chatty():
    talk()
    subprocess.run([sys.executable, "-c", CHILD], check=True)
    return sys.stdin.read()

@flow
def failing():
    talk()
    raise LookupError("nothing there")

@flow
def ordered(pipe: str):
    with open(pipe) as orders:
        return orders.read()
"""

CLOSED = [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"]


@pytest.fixture(autouse=True)
def chatty(directory: Path) -> None:
    """The module of these tests."""
    (directory / "chatty.py").write_text(CHATTY, "utf-8")


def run_in_shell(directory: Path, arguments: str, redirection: str) -> "subprocess.CompletedProcess[str]":
    """Run the command with its streams redirected as a shell does."""
    command = f"exec {sys.executable} -m flowscope.cli run {arguments} --json run.json {redirection}"
    return subprocess.run(
        ["sh", "-c", command], cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8"
    )


def record_in(directory: Path) -> FlowRun:
    """The record that was written."""
    return FlowRun.model_validate_json((directory / "run.json").read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no POSIX shell")
@pytest.mark.parametrize("redirection", CLOSED)
@pytest.mark.parametrize(("target", "code"), [("chatty", 0), ("failing", 1)])
def test_closed_streams_do_not_matter(directory: Path, target: str, code: int, redirection: str) -> None:
    """Without some of its standard streams the command runs the flow, writes its record, and exits with its code."""
    ended = run_in_shell(directory, f"chatty:{target}", redirection)
    assert ended.returncode == code
    assert record_in(directory).status is (RunStatus.FAILED if code else RunStatus.COMPLETED)
    assert "flowscope/cli" not in ended.stderr
    assert ("| flow" in ended.stderr) == ("2>&-" not in ended.stderr and "2>&-" not in redirection)


@pytest.mark.skipif(os.name == "nt", reason="there is no POSIX shell")
@pytest.mark.parametrize("target", ["nowhere:any", "flows:typed"])
def test_a_refusal_that_nobody_reads_is_an_exit_code(directory: Path, target: str) -> None:
    """A command that cannot be carried out exits with 2, with a standard error or without."""
    assert run_in_shell(directory, target, "2>&-").returncode == 2


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(("target", "code"), [("chatty", 0), ("failing", 1)])
def test_a_reader_that_leaves_does_not_change_the_outcome(directory: Path, target: str, code: int, stream: str) -> None:
    """Piped to a program that reads nothing, the command exits with the flow's code, and complains of nothing."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "flowscope.cli", "run", f"chatty:{target}", "--json", "run.json"],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        check=False,
        stdout=writer if stream == "stdout" else subprocess.PIPE,
        stderr=writer if stream == "stderr" else subprocess.PIPE,
    )
    os.close(writer)
    assert ended.returncode == code
    assert record_in(directory).status is (RunStatus.FAILED if code else RunStatus.COMPLETED)
    assert "BrokenPipe" not in f"{ended.stdout}{ended.stderr}"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_summary_that_finds_no_space_is_told(directory: Path, unbuffered: str) -> None:
    """The exit code is the flow's; a line on standard error says that the summary could not be written."""
    ended = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m flowscope.cli run chatty:failing >/dev/full"],
        cwd=directory,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.endswith("\nthe summary cannot be written: No space left on device\n")
    assert "flowscope/cli" not in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_progress_that_finds_no_space_is_lost(directory: Path) -> None:
    """A standard error that takes nothing changes neither the run nor the exit code."""
    ended = run_in_shell(directory, "chatty:chatty", "2>/dev/full")
    assert ended.returncode == 0
    assert "chatty completed" in ended.stdout


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_terminal_that_goes_away_does_not_end_the_run(terminal: OpenTerminal, directory: Path) -> None:
    """What can no longer be drawn is lost; the flow goes on to its end, and its record is written."""
    os.mkfifo(directory / "orders")
    screen = terminal("run", "chatty:ordered", "-p", "pipe=orders", "--json", "run.json")
    screen.read_until("ordered .*running")
    screen.hang_up()
    (directory / "orders").write_text("go on", "utf-8")
    assert screen.wait() == 0
    assert record_in(directory).return_value == "go on"
