"""Prints in a flow while somebody, such as a test tool, takes `sys.stdout` away for a moment and puts it back."""

import asyncio
import contextlib
import io
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowscope import Flow, bind_context, current_flow, flow, submit, task, use_executor

COLLECTED = """
import logging
import pytest
from flowscope import Flow, flow, task

def found(run):
    return [(entry.source, entry.message) for entry in run.captured_logs() if entry.source != "log"]
"""


def run_pytest(folder: Path, source: str, *options: str) -> None:
    """Run a test module in another process; all its tests pass."""
    (folder / "test_inner.py").write_text(COLLECTED + source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        *options,
        "test_inner.py",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def printed(run: Flow[Any]) -> list[tuple[str, str]]:
    return [(entry.source, entry.message) for entry in run.captured_logs() if entry.source in {"stdout", "stderr"}]


@contextlib.contextmanager
def swapped(real: tuple[Any, Any]) -> Generator[None]:
    """Put other streams in place, and then the ones from before the flow."""
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = real


def test_prints_are_recorded_after_capsys_was_disabled_for_a_moment(capsys: pytest.CaptureFixture[str]) -> None:
    """What follows a `with capsys.disabled()` is recorded as what came before it, on both streams."""

    @flow
    def talk() -> None:
        print("before")
        with capsys.disabled():
            pass
        print("after")
        print("error", file=sys.stderr)

    assert printed(talk().execute()) == [("stdout", "before"), ("stdout", "after"), ("stderr", "error")]
    assert capsys.readouterr() == ("", "")


def test_prints_are_recorded_after_capfd_was_disabled_for_a_moment(capfd: pytest.CaptureFixture[str]) -> None:
    """The same holds for `capfd`, in a task that is submitted to a thread."""

    @task
    def step() -> None:
        with capfd.disabled():
            pass
        print("after")

    @flow
    def talk() -> None:
        with use_executor("thread"):
            submit(step).result()

    assert printed(talk().execute()) == [("stdout", "after")]
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            """
@task
def step():
    print("before")
    logging.getLogger("service").warning("record")
    print("after")

@flow
def talk():
    step()
    print("flow level")

def test_all_is_recorded():
    assert found(talk().execute()) == [
        ("stdout", "before"), ("logging", "record"), ("stdout", "after"), ("stdout", "flow level")
    ]
""",
            id="a record under the live log",
        ),
        pytest.param(
            """
@task
def step():
    print("in the task")

@pytest.fixture
def running():
    with Flow() as flow:
        yield flow
        print("in the teardown")
    assert found(flow)[-1] == ("stdout", "in the teardown")

def test_prints_are_recorded(running):
    step()
    print("in the test")
    assert found(running) == [("stdout", "in the task"), ("stdout", "in the test")]
""",
            id="a flow that a fixture has opened",
        ),
        pytest.param(
            """
@pytest.fixture(scope="module")
def running():
    with Flow() as flow:
        yield flow

def test_first(running):
    print("first")

def test_second(running, capsys):
    print("to the one who asked for it")
    assert capsys.readouterr().out == "to the one who asked for it\\n"

def test_third(running):
    print("third")
    assert found(running) == [("stdout", "first"), ("stdout", "third")]
""",
            id="a flow that lasts for several tests",
        ),
    ],
)
@pytest.mark.parametrize("options", [(), ("-o", "log_cli=true"), ("--capture=sys",)], ids=["fd", "live log", "sys"])
def test_prints_are_recorded_inside_pytest(tmp_path: Path, source: str, options: tuple[str, ...]) -> None:
    """Whatever way pytest captures, it exchanges `sys.stdout` between the phases of a test, and at each live record."""
    run_pytest(tmp_path, source, *options)


def test_a_swap_in_another_thread_or_coroutine_ends_no_capture() -> None:
    """A swap is for the whole process: whoever makes it, every running flow goes on recording."""
    real = sys.stdout, sys.stderr

    async def elsewhere() -> None:
        with swapped(real):
            pass

    def in_thread() -> None:
        with swapped(real):
            pass

    def swap_in(call: Callable[[], None]) -> None:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    @flow
    async def talk() -> None:
        for swap in (in_thread, bind_context(in_thread)):
            swap_in(swap)
            print("sync")
        await asyncio.create_task(elsewhere())
        print("async", file=sys.stderr)

    assert printed(talk().execute()) == [("stdout", "sync"), ("stdout", "sync"), ("stderr", "async")]
    assert (sys.stdout, sys.stderr) == real


def test_a_swap_around_a_nested_flow_ends_the_capture_of_neither() -> None:
    """The inner flow records what it prints to the other stream, and the outer one what follows."""
    real = sys.stdout, sys.stderr

    @flow
    def inner() -> None:
        print("inner")
        with swapped(real):
            print("to nobody")
        print("inner again")

    @flow
    def outer() -> Flow[None]:
        with swapped(real):
            nested = inner().execute()
        print("outer")
        return nested

    run = outer().execute()
    assert printed(run) == [("stdout", "outer")]
    assert printed(run.return_value) == [("stdout", "inner"), ("stdout", "inner again")]
    assert (sys.stdout, sys.stderr) == real


def test_what_is_printed_during_the_swap_goes_to_the_other_stream() -> None:
    """A stream that the user puts in place gets the prints as long as it is there, and stays if it is left there."""
    mine, real = io.StringIO(), sys.stdout

    @flow
    def talk() -> None:
        with contextlib.redirect_stdout(mine):
            print("redirected")
        print("recorded")
        sys.stdout = mine
        print("left there")

    try:
        run = talk().execute()
        assert sys.stdout is mine
    finally:
        sys.stdout = real
    assert printed(run) == [("stdout", "recorded")]
    assert mine.getvalue() == "redirected\nleft there\n"


def test_the_stream_from_before_can_still_be_written_to_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """After a swap, as before one, `file=` with the real stream goes there and is not recorded."""
    real = sys.stdout, sys.stderr

    @flow
    def talk() -> None:
        with swapped(real):
            pass
        print("past the flow", file=real[0])

    assert printed(talk().execute()) == []
    assert capsys.readouterr().out == "past the flow\n"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_is_deleted_stays_so_and_the_flow_completes(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Deleting the stream means what it means outside of flows: it is gone until somebody puts one there."""
    monkeypatch.setattr(sys, name, io.StringIO())

    @task
    def step() -> None:
        delattr(sys, name)
        with pytest.raises(AttributeError, match=f"module 'sys' has no attribute '{name}'"):
            delattr(sys, name)
        assert not hasattr(sys, name)

    @flow
    def talk() -> int:
        step()
        current_flow().print_log_messages()
        talk_again().execute()
        return 1

    @flow
    def talk_again() -> None:
        logging.getLogger("quiet").debug("nothing")

    assert talk().execute().return_value == 1
    assert not hasattr(sys, name)


@pytest.mark.parametrize("stream", [None, io.StringIO()], ids=["None", "closed"])
def test_a_stream_that_is_none_or_closed_harms_no_flow(monkeypatch: pytest.MonkeyPatch, stream: Any) -> None:
    """Without a usable stream flows run, inside and outside of which it was put there."""
    if stream is not None:
        stream.close()

    @flow
    def talk() -> None:
        print("recorded", file=sys.stderr)
        sys.stdout = stream

    monkeypatch.setattr(sys, "stdout", sys.stdout)
    assert printed(talk().execute()) == [("stderr", "recorded")]
    assert sys.stdout is stream
    assert talk().execute().succeeded
    assert sys.stdout is stream


def test_sys_is_as_it_was_when_no_flow_runs() -> None:
    """After the last flow, however it ended, `sys` is a plain module with its own streams."""
    real = sys.stdout, sys.stderr

    @flow
    def failing() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing().execute()
    assert type(sys) is ModuleType
    assert (sys.stdout, sys.stderr) == real
