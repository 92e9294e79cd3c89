"""What any library logs inside a flow is recorded, once."""

import contextlib
import io
import logging
import logging.handlers
import queue
import sys
import threading
import warnings
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from flowscope import Flow, FlowConfig, bind_context, flow, task


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
    made = logging.getLogger(f"tests.capture-{next(_numbers)}")
    made.setLevel(logging.DEBUG)
    made.propagate = False
    return made


@contextlib.contextmanager
def bare_root() -> Iterator[logging.Logger]:
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


def test_records_are_entries_with_their_logger_level_and_task() -> None:
    """Each record is one entry with its logger's name, its level and the running task; handlers get it as well."""
    logger = new_logger()
    collector = Collector()
    logger.addHandler(collector)

    @task
    def work() -> None:
        logger.error("in %s", "task")

    @flow
    def working() -> None:
        logger.debug("in flow")
        work()
        logger.log(25, "between")

    run = working().execute()
    [task_id] = [t.task_id for t in run.flow_run.tasks]
    assert [(e.message, e.level_number, e.logger, e.source, e.task_id) for e in run.captured_logs()] == [
        ("in flow", 10, logger.name, "logging", None),
        ("in task", 40, logger.name, "logging", task_id),
        ("between", 25, logger.name, "logging", None),
    ]
    assert [e.level for e in run.captured_logs()][:2] == ["DEBUG", "ERROR"]
    assert collector.messages == ["in flow", "in task", "between"]


def test_a_record_that_many_handlers_see_is_recorded_once() -> None:
    """Handlers on the logger, its parents and the root do not multiply the entry."""
    logger = new_logger()
    child = logger.getChild("a.b")
    collectors = [Collector() for _ in range(3)]
    for place, collector in zip((child, logger.getChild("a"), logger), collectors, strict=True):
        place.addHandler(collector)

    @flow
    def working() -> None:
        child.warning("once")

    assert logged(working().execute()) == ["once"]
    assert [c.messages for c in collectors] == [["once"]] * 3
    for place in (child, logger.getChild("a")):
        place.handlers.clear()


def test_levels_and_filters_of_loggers_hold() -> None:
    """What a logger's level, its filters, `disabled` or logging.disable stop is not recorded."""
    logger = new_logger()
    quiet, filtered, disabled = (logger.getChild(name) for name in ("quiet", "filtered", "disabled"))
    quiet.setLevel(logging.ERROR)
    filtered.addFilter(lambda record: "keep" in record.getMessage())
    disabled.disabled = True

    @flow
    def working() -> None:
        quiet.warning("too low")
        quiet.error("high enough")
        filtered.info("drop me")
        filtered.info("keep me")
        disabled.critical("never")
        logging.disable(logging.WARNING)
        try:
            logger.warning("disabled everywhere")
            logger.error("above")
        finally:
            logging.disable(logging.NOTSET)

    assert logged(working().execute()) == ["high enough", "keep me", "above"]


def test_filters_that_rewrite_a_record_are_respected() -> None:
    """An entry says what the record says once the logger's filters are through with it."""
    logger = new_logger()

    def mask(record: logging.LogRecord) -> bool:
        record.msg, record.args = "masked", ()
        return True

    logger.addFilter(mask)

    @flow
    def working() -> None:
        logger.info("secret %d", 1)

    assert logged(working().execute()) == ["masked"]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("DEBUG", ["d", "i", "w", "e"]),
        ("INFO", ["i", "w", "e"]),
        ("WARNING", ["w", "e"]),
        ("ERROR", ["e"]),
        ("CRITICAL", []),
    ],
)
def test_the_flows_level_holds_for_every_source(level: Any, expected: list[str]) -> None:
    """`log_level` is the lowest level recorded, of the flow's own messages and of standard logging alike."""
    logger = new_logger()

    @flow(flow_config=FlowConfig(log_level=level))
    def working(this_flow: Any) -> None:
        for name, log in (("d", "debug"), ("i", "info"), ("w", "warning"), ("e", "error")):
            getattr(logger, log)(name)
            getattr(this_flow, f"log_{log}")(name)

    run = working().execute()
    assert logged(run) == expected
    assert [e.message for e in run.captured_logs() if e.source == "log"] == expected


def test_exceptions_and_bad_arguments_do_not_hurt(capsys: pytest.CaptureFixture[str]) -> None:
    """A logged exception brings its traceback; a record whose arguments do not fit is recorded all the same."""
    logger = new_logger()

    @flow
    def working() -> None:
        try:
            raise LookupError("lost")
        except LookupError:
            logger.exception("oops")
        logger.info("%d apples", "many")
        logger.info("%s and %s", "one")

    entries = logged(working().execute())
    assert entries[0].startswith("oops\nTraceback")
    assert "LookupError: lost" in entries[0]
    assert "apples" in entries[1]
    assert len(entries) == 3
    capsys.readouterr()


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


def test_a_warning_without_any_handler_is_recorded_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where logging falls back on its last resort, the entry comes from `logging` alone."""

    @flow
    def working() -> None:
        logging.getLogger("tests.lastresort").warning("unhandled")

    with bare_root():
        run = working().execute()
    assert [(e.message, e.source) for e in run.captured_logs()] == [("unhandled", "logging")]
    assert capsys.readouterr().err == "unhandled\n"


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
                second_record = logging.makeLogRecord(record.__dict__)
                second_record.name = second.name
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


def test_threads_and_warnings() -> None:
    """Records of bare threads are not the flow's, those of bound ones are, and so are captured warnings."""
    logger = new_logger()
    warned = logging.getLogger("py.warnings")
    propagates, warned.propagate = warned.propagate, False

    @flow
    def working() -> None:
        for target in (lambda: logger.info("bare"), bind_context(lambda: logger.info("bound"))):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        logging.captureWarnings(capture=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                logging.captureWarnings(capture=True)
                warnings.showwarning("careful", UserWarning, "file.py", 1)
        finally:
            logging.captureWarnings(capture=False)

    try:
        entries = logged(working().execute())
    finally:
        warned.propagate = propagates
    assert entries[0] == "bound"


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
