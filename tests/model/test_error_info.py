"""`ErrorInfo`: what a record tells of an exception."""

from collections.abc import Callable
from typing import Any

import pytest

from flowscope import ErrorInfo, Flow, FlowConfig, FlowRun, flow, task


class Outer:
    """A namespace."""

    class OddError(Exception):
        """An exception with a qualified name."""


def failed(function: Callable[[], Any]) -> FlowRun[Any]:
    """The record of a flow that fails with what a function raises; it round-trips."""
    made = Flow[Any](flow_config=FlowConfig(raise_flow_error=False)).setup(function).execute()
    record = made.flow_run
    text = record.model_dump_json()
    assert FlowRun.model_validate_json(text).model_dump_json() == text
    return record


def told(error: BaseException) -> ErrorInfo:
    """What a record tells of an exception that a flow raises."""

    def fails() -> None:
        raise error

    info = failed(fails).error
    assert info is not None
    return info


def chain(info: ErrorInfo | None) -> list[str]:
    """The types of an error and its causes."""
    types: list[str] = []
    while info is not None:
        types.append(info.type)
        info = info.cause
    return types


def test_type_module_and_message() -> None:
    """An error has the qualified name and module of its class, and its text."""
    info = told(Outer.OddError("went wrong", 5))
    assert (info.type, info.module) == ("Outer.OddError", __name__)
    assert info.message == "('went wrong', 5)"
    assert told(KeyError("key")).message == "'key'"
    assert (told(ValueError()).message, told(ValueError()).module) == ("", "builtins")


def test_the_traceback_is_that_of_the_users_code() -> None:
    """The traceback is what Python prints: the user's functions from the flow's on, down to the line that raised."""

    @task
    def inner() -> None:
        raise ValueError("deep inside")

    def outer() -> None:
        inner()

    info = failed(outer).error
    assert info is not None
    lines = info.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "ValueError: deep inside" in lines
    assert 'raise ValueError("deep inside")' in info.traceback
    assert info.traceback.index(", in outer") < info.traceback.index(", in inner")
    first_frame = next(line for line in lines if line.strip().startswith("File "))
    assert __file__ in first_frame
    assert first_frame.endswith(", in outer")


def test_notes_are_told() -> None:
    """An exception's own notes come first, then one per task it passed through; the traceback shows them too."""

    @task
    def inner() -> None:
        error = ValueError("noted")
        error.add_note("a note\nof two lines")
        raise error

    @task
    def outer() -> None:
        inner()

    record = failed(outer)
    info = record.error
    assert info is not None
    assert info.notes[0] == "a note\nof two lines"
    assert [note.split("'")[1] for note in info.notes[1:]] == ["inner", "outer"]
    assert all(note in info.traceback for note in info.notes)
    inner_info = record.tasks[1].error
    assert inner_info is not None
    assert inner_info.notes == info.notes[:2]


def test_a_cause_is_told() -> None:
    """The explicit cause of an exception is its `cause`, with a traceback of its own, and so on down."""

    def fails() -> None:
        try:
            try:
                raise KeyError("first")
            except KeyError as error:
                raise ValueError("second") from error
        except ValueError as error:
            raise RuntimeError("third") from error

    info = failed(fails).error
    assert info is not None
    assert chain(info) == ["RuntimeError", "ValueError", "KeyError"]
    assert "direct cause" in info.traceback
    assert info.cause is not None
    assert info.cause.cause is not None
    assert "KeyError: 'first'" in info.cause.cause.traceback
    assert "second" not in info.cause.cause.traceback


def test_a_context_is_a_cause_unless_suppressed() -> None:
    """What was being handled counts as the cause, except where `from None` says otherwise."""

    def in_context() -> None:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second")

    def suppressed() -> None:
        try:
            raise KeyError("first")
        except KeyError:
            raise ValueError("second") from None

    assert chain(failed(in_context).error) == ["ValueError", "KeyError"]
    assert chain(failed(suppressed).error) == ["ValueError"]


def test_cyclic_causes_end() -> None:
    """Exceptions that are each other's causes are told, and the telling ends."""
    one, other = ValueError("one"), KeyError("other")
    one.__cause__, other.__cause__ = other, one
    assert chain(told(one))[:2] == ["ValueError", "KeyError"]
    alone = ValueError("alone")
    alone.__cause__ = alone
    assert chain(told(alone))[0] == "ValueError"
    ring = [RuntimeError(str(n)) for n in range(5)]
    for here, there in zip(ring, [*ring[1:], ring[0]], strict=True):
        here.__context__ = there
    assert len(chain(told(ring[0]))) >= 5


def test_long_chains_of_causes_are_told() -> None:
    """Hundreds of causes do not fail the record, and the nearest ones are there."""
    error: Exception = ValueError("bottom")
    for n in range(500):
        above = ValueError(f"level {n}")
        above.__cause__ = error
        error = above
    info = told(error)
    assert info.message == "level 499"
    assert len(chain(info)) > 10


def test_a_group_is_told_with_its_members() -> None:
    """The traceback of an exception group shows every member, nested groups included."""

    def fails() -> None:
        members: list[Exception] = []
        for kind in (ValueError, KeyError):
            try:
                raise kind(f"a {kind.__name__}")
            except kind as error:
                members.append(error)
        raise ExceptionGroup("several", [*members, ExceptionGroup("more", [OSError("deeper")])])

    info = failed(fails).error
    assert info is not None
    assert info.type == "ExceptionGroup"
    assert info.message == "several (3 sub-exceptions)"
    for text in ("a ValueError", "a KeyError", "more (1 sub-exception)", "OSError: deeper"):
        assert text in info.traceback
    assert info.traceback.count(", in fails") >= 3


class Hostile(Exception):
    """Cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_an_error_without_text_is_told() -> None:
    """An exception whose `str` raises is told by its type; so is one in the middle of a chain or group."""
    info = told(Hostile())
    assert info.type == "Hostile"
    assert "Hostile" in info.message
    assert "Hostile" in info.traceback
    chained = ValueError("outer")
    chained.__cause__ = Hostile()
    assert chain(told(chained)) == ["ValueError", "Hostile"]
    assert "grouped" in told(ExceptionGroup("grouped", [Hostile(), ValueError("member")])).message


def test_text_that_cannot_be_encoded_is_escaped() -> None:
    """Lone surrogates in messages and notes are escaped."""
    error = ValueError("bad \ud800")
    error.add_note("note \udfff")
    info = told(error)
    assert info.message == "bad \\ud800"
    assert info.notes == ["note \\udfff"]
    assert "bad \\ud800" in info.traceback


def test_an_error_is_told_as_it_was_at_the_end() -> None:
    """What is added to an exception after the flow has ended does not get into its record."""
    error = ValueError("noted")

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def fails() -> None:
        raise error

    made = fails().execute()
    before = made.flow_run.model_dump_json()
    error.add_note("later")
    try:
        raise error
    except ValueError:
        assert made.flow_run.model_dump_json() == before


def test_a_syntax_error_is_told_with_its_place() -> None:
    """A `SyntaxError` shows the line at fault, as Python does."""

    def fails() -> None:
        compile("a = (\nb c", "made-up.py", "exec")

    info = failed(fails).error
    assert info is not None
    assert info.type == "SyntaxError"
    assert 'File "made-up.py"' in info.traceback


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interrupts_are_told_too(kind: type[BaseException]) -> None:
    """An exception that is no `Exception` passes through, and is in the record."""

    def fails() -> None:
        raise kind("stop")

    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(fails)
    with pytest.raises(kind):
        made.execute()
    record = made.flow_run
    assert record.status == "cancelled"
    assert record.error is not None
    assert (record.error.type, record.error.message) == (kind.__name__, "stop")
