"""Recording can never fail a run: exceptions that resist being read or noted come back as themselves."""

import sys
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from flowscope import EventType, Flow, FlowConfig, FlowEvent, RunStatus, task


class RefusesNotes(Exception):
    """Forbids all attributes, and so notes."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(name)


class NotesAreNone(Exception):
    """Has something else where notes belong."""

    __notes__: Any = None


class NotesAreNumbers(Exception):
    """Has something else where notes belong."""

    def __init__(self) -> None:
        super().__init__("numbers")
        self.__notes__: Any = 5


class BadNote:
    """A note that cannot be shown."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class HasBadNote(Exception):
    """One of its notes cannot be shown."""

    def __init__(self) -> None:
        super().__init__("noted")
        self.__notes__: Any = [BadNote()]


class StrRaises(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class StrIsNoText(Exception):
    """Gives a number for its text."""

    def __str__(self) -> str:
        answer: Any = 5
        return answer  # type: ignore[no-any-return] # as hostile code may


class StrRecurses(Exception):
    """Never ends telling its text."""

    def __str__(self) -> str:
        return str(self)


class HostileAttributes(Exception):
    """Answers no question about its notes or causes."""

    def __getattribute__(self, name: str) -> Any:
        if name in {"__notes__", "__cause__", "__context__", "__suppress_context__"}:
            raise RuntimeError(name)
        return super().__getattribute__(name)


class LyingClass(Exception):
    """Its class has a strange name."""


LyingClass.__name__ = "A\nB"
LyingClass.__qualname__ = ""
LyingClass.__module__ = None  # type: ignore[assignment] # as hostile code may


def circular() -> Exception:
    """An exception that is its own cause's cause."""
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    return one


def deep() -> Exception:
    """An exception with two hundred causes."""
    error = ValueError("bottom")
    for n in range(200):
        above = ValueError(f"level {n}")
        above.__cause__ = error
        error = above
    return error


def unprintable() -> Exception:
    """An exception whose text cannot be encoded, with control characters."""
    return ValueError("\ud800 \x1b[31mred\x1b[0m \x00")


MAKERS: list[Callable[[], BaseException]] = [
    RefusesNotes,
    NotesAreNone,
    NotesAreNumbers,
    HasBadNote,
    StrRaises,
    StrIsNoText,
    StrRecurses,
    HostileAttributes,
    LyingClass,
    circular,
    deep,
    unprintable,
]


def raised_by(function: Callable[[], object]) -> BaseException | None:
    """What a function raises; it does not reach the test runner, which could not show it."""
    try:
        function()
    except BaseException as error:
        return error
    return None


def name_of(error: BaseException | None) -> str | None:
    """The name of an exception's class."""
    return None if error is None else type(error).__name__


@pytest.mark.parametrize("make", MAKERS)
def test_the_very_object_comes_back_and_the_record_is_complete(make: Callable[[], BaseException]) -> None:
    """Whatever the exception does when it is read, it propagates, and the records are failed, and JSON."""
    error, events = make(), list[FlowEvent]()

    @task
    def fails() -> None:
        raise error

    made = Flow[None](flow_config=FlowConfig(print_error_stack_trace=True, capture_events=True)).setup(fails)
    made.add_listener(events.append)
    raised = raised_by(made.execute)
    assert name_of(raised) == type(error).__name__
    assert (raised is error, made.flow_error is error) == (True, True)
    assert made.status is RunStatus.FAILED
    assert [e.event_type for e in events][-1] is EventType.FLOW_STOP
    assert name_of(raised_by(lambda: made.flow_run)) is None
    record = made.flow_run
    assert [(t.status, t.error is not None) for t in record.tasks] == [(RunStatus.FAILED, True)]
    assert record.error is not None
    assert record.end_time is not None
    assert name_of(raised_by(record.model_dump_json)) is None
    assert made.log_messages()


@pytest.mark.parametrize("make", MAKERS)
def test_retries_and_tolerance_survive_them(make: Callable[[], BaseException]) -> None:
    """A task that is retried and tolerated copes with the same exceptions, attempt by attempt."""

    @task(retries=1, raise_on_error=False)
    def fails() -> None:
        raise make()

    made = Flow[None](flow_config=FlowConfig(capture_events=True)).setup(fails)
    assert name_of(raised_by(made.execute)) is None
    assert made.succeeded
    assert name_of(raised_by(lambda: made.flow_run.model_dump_json())) is None
    assert [(t.status, t.attempts) for t in made.flow_run.tasks] == [(RunStatus.FAILED, 2)]


def test_running_out_of_stack_inside_one_task() -> None:
    """A `RecursionError` of plain recursion in a task is an exception like any other."""

    def deeper(n: int) -> int:
        return deeper(n + 1) + 1

    made = Flow[int](flow_config=FlowConfig(raise_flow_error=False)).setup(task(deeper), 0).execute()
    assert isinstance(made.flow_error, RecursionError)
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.FAILED]
    assert made.flow_run.model_dump_json()


@pytest.mark.slow
def test_running_out_of_stack_in_nested_tasks() -> None:
    """A task that calls itself until the stack ends fails with a `RecursionError`; every call has an end record.

    Where not even the failure could be recorded for want of stack, the call counts as abandoned.
    """

    @task
    def deeper(n: int) -> int:
        return deeper(n + 1) + 1

    made = Flow[int](flow_config=FlowConfig(raise_flow_error=False)).setup(deeper, 0).execute()
    assert isinstance(made.flow_error, RecursionError)
    calls = made.executed_tasks
    assert len(calls) > sys.getrecursionlimit() // 10
    assert {call.status for call in calls} <= {RunStatus.FAILED, RunStatus.ABANDONED}
    assert calls[0].status is RunStatus.FAILED
    assert all(isinstance(call.task_error, RecursionError) for call in calls if call.status is RunStatus.FAILED)
    assert all(record.end_time is not None for record in made.flow_run.tasks)
    again = Flow[int]().setup(lambda: 1).execute()
    assert again.return_value == 1
