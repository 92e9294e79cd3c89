"""Signals that ask the command to end leave the record of what was done."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowscope import FlowRun, RunStatus

from .conftest import Command, OpenTerminal, Start

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="POSIX signals")]

ENDING = """
import asyncio, os, signal, sys, threading
from flowscope import flow, task

def send(number):
    os.kill(os.getpid(), number)

@task
def stuck(number):
    send(number)
    threading.Event().wait()

@flow
def blocked(number: int):
    stuck(number)

@task
async def stuck_too():
    await asyncio.Event().wait()

@task
async def ask_to_end(number):
    send(number)
    await asyncio.Event().wait()

@flow
async def waiting(number: int):
    await asyncio.gather(stuck_too(), ask_to_end(number))

@task(executor="process")
def stuck_elsewhere(pid, number):
    os.kill(pid, number)
    threading.Event().wait()

@flow
def delegating(number: int):
    stuck_elsewhere(os.getpid(), number)

@flow
def deaf(number: int):
    try:
        stuck(number)
    except KeyboardInterrupt:
        return "done all the same"

class Slow:
    def __init__(self, numbers):
        self.numbers = numbers

    def __repr__(self):
        while self.numbers:
            send(self.numbers.pop(0))
        return "slow to write"

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it

@flow
def slow(numbers: list[int]):
    return Slow(numbers)
"""

INT = int(signal.SIGINT)
TERM = int(signal.SIGTERM)
ENDED = {TERM: 143, int(getattr(signal, "SIGHUP", 1)): 129}


@pytest.fixture(autouse=True)
def ending(directory: Path) -> None:
    """The module of these tests."""
    (directory / "ending.py").write_text(ENDING, "utf-8")


@pytest.mark.parametrize("number", ENDED)
@pytest.mark.parametrize(("target", "tasks"), [("blocked", 1), ("waiting", 2)])
def test_a_termination_ends_the_run_as_an_interrupt_does(
    process: Command, target: str, tasks: int, number: int
) -> None:
    """SIGTERM, and the SIGHUP of a terminal that is closed, cancel what runs; the record is written."""
    outcome = process("run", f"ending:{target}", "-p", f"number={number}", "--json", "run.json")
    assert outcome.code == ENDED[number]
    assert outcome.out.startswith(f"{target} cancelled in ")
    assert outcome.record.status is RunStatus.CANCELLED
    assert [task.status for task in outcome.record.tasks] == [RunStatus.CANCELLED] * tasks
    assert "Traceback" not in outcome.err


def test_a_termination_ends_tasks_in_worker_processes(process: Command) -> None:
    """A task that runs in a worker process is cancelled with the flow."""
    outcome = process("run", "ending.py:delegating", "-p", f"number={TERM}", "--json", "run.json")
    assert outcome.code == 143
    assert [(task.status, task.executor) for task in outcome.record.tasks] == [(RunStatus.CANCELLED, "process")]


@pytest.mark.parametrize("target", ["blocked", "waiting"])
def test_a_command_in_the_background_can_be_terminated(directory: Path, target: str) -> None:
    """A shell script has its background commands ignore Ctrl-C; SIGTERM reaches them all the same."""
    command = (
        f"trap '' INT; exec {sys.executable} -m flowscope.cli run ending:{target} -p number={TERM} --json run.json"
    )
    ended = subprocess.run(["sh", "-c", command], cwd=directory, capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode == 143
    assert "Traceback" not in ended.stderr
    record = FlowRun.model_validate_json((directory / "run.json").read_text("utf-8"))
    assert record.status is RunStatus.CANCELLED
    assert {task.status for task in record.tasks} == {RunStatus.CANCELLED}


def test_a_flow_that_completes_all_the_same_exits_with_0(process: Command) -> None:
    """A flow that handles the interrupt itself is told by its own outcome."""
    outcome = process("run", "ending:deaf", "-p", f"number={TERM}", "--json", "run.json")
    assert outcome.code == 0
    assert outcome.record.return_value == "done all the same"


def test_a_termination_during_the_import_runs_nothing(process: Command, directory: Path) -> None:
    """SIGTERM before the flow starts exits with 143."""
    source = "import os, signal, threading\nos.kill(os.getpid(), signal.SIGTERM)\nthreading.Event().wait()\n"
    (directory / "slow.py").write_text(source, "utf-8")
    assert process("run", "slow:any").code == 143


def test_an_interrupt_while_the_record_is_written_loses_nothing(process: Command) -> None:
    """The record of a flow that has ended is written to its end, and the exit code is the flow's."""
    outcome = process("run", "ending:slow", "--json", "run.json", "-p", f"numbers=[{INT}]")
    assert outcome.record.return_value == {"__repr__": "slow to write", "__type__": "ending.Slow"}
    assert outcome.out.startswith("slow completed in ")
    assert outcome.code == 0


def test_writing_can_be_interrupted_too(directory: Path) -> None:
    """A pipe that nobody reads holds up its writer: the second signal ends that, and the exit code is that of a signal."""
    os.mkfifo(directory / "pipe")
    with subprocess.Popen(
        [sys.executable, "-m", "flowscope.cli", "run", "flows:calculate", "--json", "pipe"],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as command:
        assert command.stderr is not None
        while "flow 'calculate' completed" not in command.stderr.readline():
            pass
        while command.poll() is None:
            command.send_signal(TERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                command.wait(0.2)
        assert "Traceback" not in command.stderr.read()
    assert command.returncode in {143, -TERM}  # a shell tells the same of both: the last one may meet the exit


def test_what_nohup_ignores_is_ignored(directory: Path) -> None:
    """A command that was started with SIGHUP ignored outlives it."""
    hang_up = int(signal.SIGHUP)
    source = f"import os\nfrom flowscope import flow\n@flow\ndef last():\n    os.kill(os.getpid(), {hang_up})\n    return 1\n"
    (directory / "lasting.py").write_text(source, "utf-8")
    command = f"trap '' HUP; exec {sys.executable} -m flowscope.cli run lasting:last"
    assert subprocess.run(["sh", "-c", command], cwd=directory, capture_output=True, check=False).returncode == 0


STUBBORN = """
import asyncio, os, signal, sys, threading
from flowscope import flow, submit, task

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it

def wait(word):
    os.write(2, f"{word}\\n".encode())
    threading.Event().wait()

async def wait_async(word):
    os.write(2, f"{word}\\n".encode())
    await asyncio.Event().wait()

@task
def stuck():
    wait("waiting")

@flow
def sync_flow():
    stuck()

@task
async def stuck_async():
    await wait_async("waiting")

@flow
async def async_flow():
    await asyncio.gather(stuck_async(), stuck_async())

@task
def generate():
    yield 1
    wait("waiting")

@flow
def generator_flow():
    list(generate())

@task(executor="thread")
def stuck_in_a_thread():
    wait("waiting")

@flow
def thread_flow():
    stuck_in_a_thread()

@flow
async def async_thread_flow():
    await submit(stuck_in_a_thread)

@task(executor="process")
def stuck_in_a_process():
    wait("waiting")

@flow
def process_flow():
    stuck_in_a_process()

@flow
async def async_process_flow():
    await submit(stuck_in_a_process)

@flow
def outer_flow():
    sync_flow().execute()

@flow
def tidying():
    try:
        wait("waiting")
    finally:
        wait("tidying")

@flow
async def tidying_async():
    try:
        await wait_async("waiting")
    finally:
        await wait_async("tidying")

@flow
def deaf():
    word = "waiting"
    while True:
        try:
            wait(word)
        except BaseException:
            word = "deaf"

@flow
async def deaf_async():
    word = "waiting"
    while True:
        try:
            await wait_async(word)
        except asyncio.CancelledError:
            word = "deaf"

@flow
async def leaving_a_thread():
    await asyncio.to_thread(wait, "waiting")
"""


@pytest.fixture
def stubborn(directory: Path) -> None:
    """The module whose flows wait, and say so."""
    (directory / "stubborn.py").write_text(STUBBORN, "utf-8")


@pytest.mark.usefixtures("stubborn")
@pytest.mark.parametrize("number", [INT, TERM])
@pytest.mark.parametrize(
    "target",
    [
        "sync_flow",
        "async_flow",
        "generator_flow",
        "thread_flow",
        "async_thread_flow",
        "process_flow",
        "async_process_flow",
        "outer_flow",
    ],
)
def test_a_signal_from_outside_ends_every_kind_of_run(start: Start, target: str, number: int) -> None:
    """Wherever the flow waits, one signal ends it, with its record and without a traceback."""
    running = start("run", f"stubborn:{target}", "--json", "run.json")
    running.read_until("waiting")
    running.send(number)
    outcome = running.wait()
    assert outcome.code == 128 + number
    assert outcome.record.status is RunStatus.CANCELLED
    assert {one.status for one in outcome.record.tasks} <= {RunStatus.CANCELLED, RunStatus.ABANDONED}
    assert outcome.out.startswith(f"{target} cancelled in ")
    assert "Traceback" not in outcome.err


@pytest.mark.usefixtures("stubborn")
@pytest.mark.parametrize("number", [INT, TERM])
@pytest.mark.parametrize("target", ["tidying", "tidying_async"])
def test_a_second_signal_ends_what_tidies_up(start: Start, target: str, number: int) -> None:
    """A flow that waits when it has been interrupted is interrupted again; the record is written."""
    running = start("run", f"stubborn:{target}", "--json", "run.json")
    running.read_until("waiting")
    running.send(number)
    running.read_until("tidying")
    running.send(number)
    outcome = running.wait()
    assert outcome.code == 128 + number
    assert outcome.record.status is RunStatus.CANCELLED
    assert "Traceback" not in outcome.err


@pytest.mark.usefixtures("stubborn")
@pytest.mark.parametrize("target", ["deaf", "deaf_async"])
def test_a_second_termination_ends_what_ignores_it(start: Start, target: str) -> None:
    """A flow that handles every interrupt and goes on is ended all the same."""
    running = start("run", f"stubborn:{target}")
    running.read_until("waiting")
    running.send(TERM)
    running.read_until("deaf")
    running.send(TERM)
    outcome = running.wait()
    assert outcome.code == 143
    assert "Traceback" not in outcome.err


@pytest.mark.usefixtures("stubborn")
def test_further_terminations_wait_for_no_thread(start: Start) -> None:
    """A thread of the user's own, which the interpreter would wait for, does not hold up the exit."""
    running = start("run", "stubborn:leaving_a_thread")
    running.read_until("waiting")
    running.send_until_end(TERM)
    assert running.wait().code in {143, -TERM}  # a shell tells the same of both: the last one may meet the exit


@pytest.mark.parametrize("target", ["deaf_module:any", "deaf_module.py:any"])
def test_an_import_that_ignores_a_termination_runs_nothing(start: Start, directory: Path, target: str) -> None:
    """A module that handles the interrupt is imported to its end, and the flow does not start."""
    source = "import os, threading\ntry:\n    os.write(2, b'importing\\n')\n    threading.Event().wait()\n"
    source += "except BaseException:\n    os.write(2, b'deaf\\n')\nfrom pathlib import Path\n"
    source += "from flowscope import flow\n@flow\ndef any():\n    Path('ran').touch()\n"
    (directory / "deaf_module.py").write_text(source, "utf-8")
    running = start("run", target)
    running.read_until("importing")
    running.send(TERM)
    outcome = running.wait()
    assert (outcome.code, outcome.out, outcome.err) == (143, "", "importing\ndeaf\n")
    assert not outcome.ran


def test_a_second_termination_ends_an_import(start: Start, directory: Path) -> None:
    """A module that goes on whatever happens is ended by the second one."""
    source = "import os, threading\nfor word in (b'importing\\n', b'deaf\\n', b'deaf\\n'):\n    try:\n"
    source += "        os.write(2, word)\n        threading.Event().wait()\n    except BaseException:\n        pass\n"
    (directory / "endless.py").write_text(source, "utf-8")
    running = start("run", "endless:any")
    running.read_until("importing")
    running.send(TERM)
    running.read_until("deaf")
    running.send(TERM)
    assert running.wait().code == 143


@pytest.mark.usefixtures("stubborn")
def test_the_terminal_gets_its_cursor_back_in_any_case(terminal: OpenTerminal) -> None:
    """Also a command that is ended by force leaves a terminal that can be used."""
    screen = terminal("run", "stubborn:deaf")
    screen.read_until("waiting\n")
    screen.send(TERM)
    screen.read_until("deaf\n")
    screen.send(TERM)
    assert screen.wait() == 143
    assert screen.raw.rindex(b"\x1b[?25h") > screen.raw.rindex(b"\x1b[?25l")
