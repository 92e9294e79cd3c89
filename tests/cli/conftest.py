"""Running the command: in this process, in a process of its own, and on a terminal."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from flowscope import FlowRun
from flowscope.cli import main

FLOWS = '''
"""The flows that the tests of the command line run."""

import logging
from enum import StrEnum
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from flowscope import INJECTED, Flow, FlowConfig, flow, task


class Colour(StrEnum):
    RED = "red"


class Point(BaseModel):
    x: int
    y: int = 0


class Unwilling(FlowConfig):
    def custom_setup(self, flow):
        raise RuntimeError("not today")


@task
def double(number):
    return number * 2


@task
def quadruple(number):
    return double(double(number))


@task(raise_on_error=False)
def fragile(number):
    raise ValueError(f"{number} broke")


@flow
def calculate(number: int = 1) -> int:
    return quadruple(number)


@flow
def typed(
    number: int,
    text: str = "",
    path: Path | None = None,
    colour: Colour = Colour.RED,
    numbers: list[int] = [],
    point: Point = Point(x=0),
    limit: int | None = 5,
    this_flow: Flow = INJECTED,
):
    Path("ran").touch()
    return [number, text, path, colour, numbers, point, limit]


@flow
def collecting(**options: list[int]):
    return options


@flow(flow_config=Unwilling())
def unwilling():
    Path("ran").touch()


@flow
def failing():
    double(1)
    raise LookupError("nothing there")


@flow(flow_config=FlowConfig(raise_flow_error=False))
def failing_quietly():
    raise LookupError("nothing there")


@flow
def leaving(code: int):
    raise SystemExit(code)


@flow
def tolerant(number: int = 1):
    for one in range(number):
        fragile(one)


@flow
def talking(this_flow: Flow = INJECTED):
    print("a print")
    this_flow.log_debug("a detail")
    this_flow.log_info("a note")
    this_flow.log_warning("a warning")
    logging.getLogger("elsewhere").error("an error")
    this_flow.add_flow_artifact("all of it", "report", {"a": 1}, "table")
    this_flow.add_flow_result("score", "how good it was", 42)
    return list(range(1_000))


@flow
def many(number: int = 3_000):
    for one in range(number):
        double(one)


@flow
def parent():
    calculate().execute()
    return calculate(2).execute().return_value


class Ingest(Flow[int]):
    source: str
    batch: int = 100
    numbers: list[int] = []

    def run(self) -> int:
        Path("ran").touch()
        return self.batch + sum(self.numbers)

    @flow
    def method(self):
        pass


class Idle(Flow[None]):
    """It has nothing to run."""


class Steps:
    @staticmethod
    @flow
    def first():
        return "first"


ready = Ingest(source="here")
partly = partial(calculate, number=5)
number = 3


def plain():
    Path("ran").touch()
'''


class Outcome:
    """What a command left behind."""

    def __init__(self, code: int, out: str, err: str, directory: Path) -> None:
        self.code = code
        self.out = out
        self.err = err
        self._directory = directory

    @property
    def ran(self) -> bool:
        """Whether a flow that leaves a trace has been called."""
        return (self._directory / "ran").exists()

    @property
    def record(self) -> FlowRun:
        """The record that was written to `run.json`."""
        return FlowRun.model_validate_json((self._directory / "run.json").read_text("utf-8"))


class Command(Protocol):
    """`flowscope ...` in the test's own directory, where `flows.py` is."""

    def __call__(self, *args: str) -> Outcome: ...


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own directory, which is the current one."""
    (tmp_path / "flows.py").write_text(FLOWS, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """The command in this process; what it imports is forgotten after the test."""
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", sys.path[:])

    def call(*args: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["flowscope", *args])
        with pytest.raises(SystemExit) as caught:
            main()
        code = caught.value.code
        assert isinstance(code, int)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err, directory)

    yield call
    for name in set(sys.modules) - modules:
        if str(directory) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def process(directory: Path) -> Command:
    """The command in a process of its own."""

    def call(*args: str) -> Outcome:
        ended = subprocess.run(
            [sys.executable, "-m", "flowscope.cli", *args],
            cwd=directory,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return Outcome(ended.returncode, ended.stdout, ended.stderr, directory)

    return call


class Running:
    """The command in a process of its own, which is sent signals."""

    def __init__(self, directory: Path, *args: str) -> None:
        self._directory = directory
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flowscope", *args],
            cwd=directory,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.err = ""

    def read_until(self, text: str) -> None:
        """Take in the lines of its standard error, up to one with the text."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.err += line
            if text in line:
                return
        raise AssertionError(self.err)

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def send_until_end(self, number: int) -> None:
        """Send it a signal again and again, until it has ended."""
        while self._process.poll() is None:
            self.send(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)

    def wait(self) -> Outcome:
        """Wait for its end."""
        out, err = self._process.communicate()
        return Outcome(self._process.returncode, out, self.err + err, self._directory)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


class Start(Protocol):
    """Starts `flowscope ...` in the test's own directory."""

    def __call__(self, *args: str) -> Running: ...


@pytest.fixture
def start(directory: Path) -> Iterator[Start]:
    """The command in a process of its own that goes on."""
    started: list[Running] = []

    def call(*args: str) -> Running:
        started.append(Running(directory, *args))
        return started[-1]

    yield call
    for one in started:
        one.close()


class Terminal:
    """The command in a process of its own, on a terminal of 30 lines."""

    def __init__(self, directory: Path, *args: str, columns: int = 100) -> None:
        import fcntl
        import pty
        import struct
        import termios

        environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flowscope.cli", *args],
            cwd=directory,
            env={**environment, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.raw = b""

    def read(self) -> bool:
        """Take in what is written next; false at the end."""
        try:
            more = os.read(self._ours, 65_536)
        except OSError:
            return False
        self.raw += more
        return bool(more)

    def read_until(self, pattern: str) -> None:
        """Take in what is written until it matches."""
        while not re.search(pattern, self.text):
            assert self.read(), self.text

    def write(self, text: str) -> None:
        """Type something."""
        os.write(self._ours, text.encode())

    @property
    def text(self) -> str:
        """All that was written so far, without control sequences."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.raw.decode("utf-8", "replace")).replace("\r", "")

    def send(self, number: int) -> None:
        """Send the command a signal."""
        self._process.send_signal(number)

    def hang_up(self) -> None:
        """Close the terminal."""
        os.close(self._ours)
        self._ours = -1

    def wait(self) -> int:
        """Take in the rest; the exit code."""
        while self._ours >= 0 and self.read():
            pass
        return self._process.wait()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        if self._ours >= 0:
            self.hang_up()


class OpenTerminal(Protocol):
    """Starts `flowscope ...` on a terminal."""

    def __call__(self, *args: str, columns: int = ...) -> Terminal: ...


@pytest.fixture
def terminal(directory: Path) -> Iterator[OpenTerminal]:
    """The command on a terminal."""
    pytest.importorskip("pty")
    opened: list[Terminal] = []

    def start(*args: str, columns: int = 100) -> Terminal:
        opened.append(Terminal(directory, *args, columns=columns))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
