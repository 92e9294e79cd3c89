"""A listener that misbehaves is told of once, and hurts neither the run nor anybody else."""

import asyncio
import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from flowscope import EventType, Flow, FlowEvent, RunStatus, flow, flow_events, task

FOUR = ["flow_start", "task_start", "task_stop", "flow_stop"]


@task
def work() -> None: ...


@flow
def working() -> None:
    work()


def complaints(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "flowscope"]


def test_a_listener_that_raises_is_logged_once_per_error_type(caplog: pytest.LogCaptureFixture) -> None:
    """One WARNING on the logger `flowscope` for each type of error, over all events and flows, with the exception."""
    errors: list[type[Exception]] = [ValueError, LookupError]

    def broken(event: FlowEvent) -> None:
        raise errors[event.sequence % 2]("broken")

    with flow_events.subscribe(broken):
        runs = [working().execute() for _ in range(3)]
    assert all(run.succeeded for run in runs)
    found = complaints(caplog)
    assert [record.levelname for record in found] == ["WARNING", "WARNING"]
    raised = {record.exc_info[0] for record in found if record.exc_info is not None}
    assert raised == {ValueError, LookupError}
    assert all("broken" in record.getMessage() for record in found), "it names the listener"
    assert all(run.captured_logs() == [] for run in runs)


def test_each_listener_is_logged_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    """Two listeners with the same error are two warnings, whichever way they were added."""

    def first(event: FlowEvent) -> None:
        raise ValueError("first")

    def second(event: FlowEvent) -> None:
        raise ValueError("second")

    made = working()
    made.add_listener(first)
    flow_events.event_listeners.append(second)
    try:
        made.execute()
    finally:
        flow_events.event_listeners.remove(second)
    assert len(complaints(caplog)) == 2


def test_one_listener_subscribed_again_and_again_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The same function with the same error makes one warning, however often it is subscribed."""

    def broken(event: FlowEvent) -> None:
        raise ValueError("broken")

    for _ in range(5):
        with flow_events.subscribe(broken):
            working().execute()
    assert len(complaints(caplog)) == 1


def test_the_other_listeners_hear_everything() -> None:
    """Those before and after a broken listener receive each event, its own flow's ones included."""
    before: list[FlowEvent] = []
    after: list[FlowEvent] = []
    own: list[FlowEvent] = []

    def broken(event: FlowEvent) -> None:
        raise ValueError

    made = working()
    made.add_listener(broken)
    made.add_listener(own.append)
    with flow_events.subscribe(before.append), flow_events.subscribe(broken), flow_events.subscribe(after.append):
        made.execute()
    assert [e.event_type.value for e in own] == FOUR
    assert before == after == own


@pytest.mark.parametrize("as_async", [False, True], ids=["execute", "await"])
def test_an_async_listener_that_raises_is_logged_too(caplog: pytest.LogCaptureFixture, as_async: bool) -> None:
    """It is logged once, awaited again for each event, and the run is as it was."""
    heard: list[int] = []

    async def broken(event: FlowEvent) -> None:
        heard.append(event.sequence)
        await asyncio.sleep(0)
        raise ValueError("broken")

    async def awaited() -> Flow[None]:
        return await working()

    with flow_events.subscribe(broken):
        run = asyncio.run(awaited()) if as_async else working().execute()
    assert run.succeeded
    assert heard == [1, 2, 3, 4]
    assert [r.levelname for r in complaints(caplog)] == ["WARNING"]


@pytest.mark.parametrize("as_async", [False, True], ids=["execute", "await"])
def test_an_async_listener_that_is_cancelled_does_not_cancel_the_run(as_async: bool) -> None:
    """A CancelledError of a listener's own ends that listener's call, and neither the run nor the caller."""
    heard: list[int] = []

    async def cancelled(event: FlowEvent) -> None:
        heard.append(event.sequence)
        raise asyncio.CancelledError

    async def awaited() -> Flow[None]:
        return await working()

    with flow_events.subscribe(cancelled):
        run = asyncio.run(awaited()) if as_async else working().execute()
    assert run.status is RunStatus.COMPLETED
    assert heard == [1, 2, 3, 4]


class Hostile:
    """A listener whose every special method raises."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        object.__setattr__(self, "answer", answer)
        object.__setattr__(self, "heard", [])

    def __call__(self, event: FlowEvent) -> Any:
        object.__getattribute__(self, "heard").append(event.event_type.value)
        return object.__getattribute__(self, "answer")()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("do not compare me")

    def __hash__(self) -> int:
        raise RuntimeError("do not hash me")

    def __bool__(self) -> bool:
        raise RuntimeError("do not ask me")

    def __repr__(self) -> str:
        raise RuntimeError("do not show me")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("do not look at me")

    def __len__(self) -> int:
        raise RuntimeError("do not count me")


def bad_answer() -> Any:
    raise ValueError("I told you")


def hostile_answer() -> Any:
    return Hostile(lambda: None)


@pytest.mark.parametrize("answer", [lambda: None, bad_answer, hostile_answer], ids=["quiet", "raises", "hostile"])
def test_hostile_listeners_are_only_called(answer: Callable[[], Any]) -> None:
    """A listener whose comparison, truth, hash, repr and attributes raise works, and so does unsubscribing it."""
    listener, other = Hostile(answer), Hostile(lambda: None)
    made = working()
    own = made.add_listener(other)
    with flow_events.subscribe(other), flow_events.subscribe(listener):
        run = made.execute()
    own.close()
    working().execute()
    assert run.succeeded
    assert object.__getattribute__(listener, "heard") == FOUR
    assert len(object.__getattribute__(other, "heard")) == 8
    assert len(flow_events.event_listeners) == 0


def test_a_hostile_listener_in_the_list_is_only_called() -> None:
    """The same holds for one that the user appended to the list, without a subscription around it."""
    quiet, raising = Hostile(lambda: None), Hostile(bad_answer)
    flow_events.event_listeners.extend((quiet, raising))
    try:
        run = working().execute()
    finally:
        flow_events.event_listeners.clear()
    assert run.succeeded
    assert object.__getattribute__(raising, "heard") == object.__getattribute__(quiet, "heard") == FOUR


def test_an_answer_that_cannot_be_awaited_is_ignored() -> None:
    """A listener may return anything: only a real awaitable is awaited, and a broken one is told of."""

    class BadAwaitable:
        def __await__(self) -> Any:
            raise ValueError("not to be awaited")

    async def good() -> None:
        awaited.append(1)

    awaited: list[int] = []
    answers: list[Any] = [0, "text", BadAwaitable(), good()]

    def listen(event: FlowEvent) -> Any:
        return answers[event.sequence - 1]

    with flow_events.subscribe(listen):
        assert working().execute().succeeded
    assert awaited == [1]


def test_partials_methods_and_builtins_are_listeners() -> None:
    """Any callable will do."""

    class Listener:
        def __init__(self) -> None:
            self.heard: list[FlowEvent] = []

        def listen(self, event: FlowEvent) -> None:
            self.heard.append(event)

    listener, events = Listener(), list[tuple[str, FlowEvent]]()

    def named(name: str, event: FlowEvent) -> None:
        events.append((name, event))

    with flow_events.subscribe(listener.listen), flow_events.subscribe(partial(named, "p"), EventType.FLOW_STOP):
        working().execute()
    assert len(listener.heard) == 4
    assert [name for name, _ in events] == ["p"]


def test_a_logging_handler_that_raises_while_a_listener_is_told_of_does_not_hurt() -> None:
    """Neither the listener's failure nor that of the handler which should report it reaches the run."""

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("disk full")

    def failing(event: FlowEvent) -> None:
        raise ValueError("broken")

    handler, logger = Broken(), logging.getLogger("flowscope")
    logger.addHandler(handler)
    try:
        with flow_events.subscribe(failing):
            run = working().execute()
    finally:
        logger.removeHandler(handler)
    assert run.succeeded


@pytest.mark.parametrize("at", [EventType.FLOW_START, EventType.TASK_START, EventType.TASK_STOP, EventType.FLOW_STOP])
@pytest.mark.parametrize("as_async", [False, True], ids=["execute", "await"])
def test_an_interrupt_inside_a_listener_ends_the_run_in_order(at: EventType, as_async: bool) -> None:
    """A Ctrl-C that strikes while a listener is called passes through, and record, context and streams are ended."""
    streams = (sys.stdout, sys.stderr)
    interrupts = [KeyboardInterrupt()]

    def struck(event: FlowEvent) -> None:
        if event.event_type is at and interrupts:
            raise interrupts.pop()

    made = working()

    async def awaited() -> None:
        await made

    made.add_listener(struck)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(awaited()) if as_async else made.execute()
    assert made.status in {RunStatus.CANCELLED, RunStatus.COMPLETED}
    assert made.flow_run.end_time is not None
    assert all(t.end_time is not None for t in made.flow_run.tasks)
    assert (sys.stdout, sys.stderr) == streams
    made.execute()
    assert made.status is RunStatus.COMPLETED
    assert (sys.stdout, sys.stderr) == streams
