"""Logging handlers inside flows: they work as always, and record nothing twice."""

import contextlib
import io
import logging
import logging.handlers
import queue
import sys
from collections.abc import Generator
from itertools import count
from typing import Any

import pytest

from flowscope import Flow, flow


class Collector(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


_numbers = count(1)


def new_logger() -> logging.Logger:
    """A logger that lets everything through, does not propagate and has no handler, not even one of pytest's."""
    made = logging.getLogger(f"{__name__}-{next(_numbers)}")
    made.setLevel(logging.DEBUG)
    made.propagate = False
    return made


@contextlib.contextmanager
def bare_root() -> Generator[logging.Logger]:
    """The root logger without handlers, given back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def logged(run: Flow[Any]) -> list[str]:
    return [entry.message for entry in run.captured_logs() if entry.source == "logging"]


def test_basic_config_inside_a_flow_records_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A handler made inside a flow, which writes to its sys.stderr, makes no second entry and works."""

    @flow
    def working() -> None:
        logging.basicConfig(level=logging.INFO, format="[%(message)s]")
        logging.getLogger("tests.basic").info("hello")

    with bare_root():
        run = working().execute()
        logging.getLogger("tests.basic").info("after the flow")
    assert [(e.message, e.source) for e in run.captured_logs()] == [("hello", "logging")]
    assert capsys.readouterr() == ("", "[hello]\n[after the flow]\n")


def test_a_handler_that_prints_makes_no_second_entry(capsys: pytest.CaptureFixture[str]) -> None:
    """What a handler prints about a record is no entry of its own and recurses into nothing."""
    logger = new_logger()

    class Printing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print("handled", record.getMessage())

    logger.addHandler(Printing())

    @flow
    def working() -> None:
        logger.info("hello")
        print("print")

    run = working().execute()
    assert [(e.message, e.source) for e in run.captured_logs()] == [("hello", "logging"), ("print", "stdout")]
    assert capsys.readouterr().out == "handled hello\n"


def test_what_a_handler_logs_is_recorded_too() -> None:
    """A record that a handler makes of its own, while it handles another, is a record like any other."""
    logger = new_logger()
    other = logger.getChild("other")

    class Chaining(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name != other.name:
                other.info("about %s", record.getMessage())

    logger.addHandler(Chaining())

    @flow
    def working() -> None:
        logger.info("hello")

    assert sorted(logged(working().execute())) == ["about hello", "hello"]


def test_a_record_that_is_handed_on_is_recorded_once() -> None:
    """A handler that passes the same record to another logger, as a queue's listener does, makes no second entry."""
    logger = new_logger()
    pending: queue.SimpleQueue[Any] = queue.SimpleQueue()
    collector = Collector()
    listener = logging.handlers.QueueListener(pending, collector)
    logger.addHandler(logging.handlers.QueueHandler(pending))
    second = logger.getChild("second")

    class Forwarding(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == logger.name:
                record.name = second.name
                second.handle(record)

    second.propagate = False
    logger.addHandler(Forwarding())

    @flow
    def working() -> None:
        listener.start()
        logger.info("hello")
        listener.stop()

    run = working().execute()
    assert logged(run) == ["hello"]
    assert collector.messages == ["hello"]


def test_a_handler_that_runs_a_flow_records_in_it() -> None:
    """A flow that a handler executes captures its own prints and records, and the outer one only its own."""
    logger = new_logger()
    inner_runs: list[Flow[Any]] = []

    @flow
    def inner() -> None:
        print("inner print")
        logging.getLogger(f"{logger.name}.inner").info("inner log")

    class Running(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == logger.name:
                inner_runs.append(inner().execute())

    logger.addHandler(Running())

    @flow
    def outer() -> None:
        logger.info("outer log")

    run = outer().execute()
    assert [e.message for e in run.captured_logs()] == ["outer log"]
    assert [e.message for e in inner_runs[0].captured_logs()] == ["inner print", "inner log"]


def test_a_handler_that_raises_raises_as_always_and_the_entry_is_there() -> None:
    """The user's own handler error reaches the user's own logging call, and capture works on."""
    logger = new_logger()

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("disk full")

    logger.addHandler(Broken())

    @flow
    def working() -> None:
        with pytest.raises(OSError, match="disk full"):
            logger.info("first")
        print("second")
        logger.removeHandler(logger.handlers[0])
        logger.info("third")

    assert [e.message for e in working().execute().captured_logs()] == ["first", "second", "third"]


def test_a_stream_handler_on_the_flows_stream_writes_for_real_afterwards() -> None:
    """A handler that took sys.stdout inside a flow goes on to work when the flow is over."""
    logger = new_logger()
    real, before = io.StringIO(), sys.stdout

    @flow
    def working() -> None:
        logger.addHandler(logging.StreamHandler(sys.stdout))
        logger.info("inside")

    sys.stdout = real
    try:
        run = working().execute()
        logger.info("outside")
    finally:
        sys.stdout = before
    assert logged(run) == ["inside"]
    assert real.getvalue() == "inside\noutside\n"
