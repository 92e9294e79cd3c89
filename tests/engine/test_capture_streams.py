"""The standard streams while flows run, and after them."""

import contextlib
import io
import json
import os
import subprocess
import sys
import traceback
from typing import Any

import pytest

from flowscope import Flow, flow, task


def printed(run: Flow[Any]) -> list[str]:
    return [entry.message for entry in run.captured_logs() if entry.source in {"stdout", "stderr"}]


@task
def say(*parts: object, end: str = "\n") -> None:
    print(*parts, end=end)


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


def test_file_descriptors_are_untouched(capfd: pytest.CaptureFixture[str]) -> None:
    """What is written below sys.stdout, to the file descriptor itself, goes where it always goes."""

    @flow
    def writing() -> None:
        print("recorded")
        os.write(1, b"descriptor\n")
        subprocess.run([sys.executable, "-c", "print('child')"], check=True, stdout=sys.stdout)

    run = writing().execute()
    assert printed(run) == ["recorded"]
    assert capfd.readouterr() == ("descriptor\nchild\n", "")


def test_what_other_libraries_print_is_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    """The ways in which the standard library and the usual packages write to the console all end in the log."""
    rich = pytest.importorskip("rich")
    typer = pytest.importorskip("typer")

    @flow
    def printing() -> None:
        rich.print("[bold]rich[/bold]")
        typer.echo("typer")
        typer.secho("styled", fg="red")
        typer.echo("error", err=True)
        json.dump({"a": 1}, sys.stdout)
        print()
        try:
            raise LookupError("lost")
        except LookupError:
            traceback.print_exc()

    lines = printed(printing().execute())
    assert lines[:5] == ["rich", "typer", "styled", "error", '{"a": 1}']
    assert lines[-1] == "LookupError: lost"
    assert capsys.readouterr() == ("", "")
