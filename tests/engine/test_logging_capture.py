"""What any library logs inside a flow is recorded, once."""

import logging
import threading
import warnings
from itertools import count
from typing import Any

import pytest

from flowscope import Flow, FlowConfig, bind_context, current_flow, flow, task


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
    def working() -> None:
        for name, log in (("d", "debug"), ("i", "info"), ("w", "warning"), ("e", "error")):
            getattr(logger, log)(name)
            getattr(current_flow(), f"log_{log}")(name)

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
        logger.info("%s and %s", *["one"])

    made = working().execute()
    entries = logged(made)
    assert entries[0] == "oops"
    error = made.captured_logs()[0].error
    assert error is not None
    assert "LookupError: lost" in error.traceback
    assert "apples" in entries[1]
    assert len(entries) == 3
    capsys.readouterr()


def test_only_bound_threads_log_into_the_flow() -> None:
    """Records of bare threads are not the flow's, and those of bound ones are."""
    logger = new_logger()

    @flow
    def working() -> None:
        for target in (lambda: logger.info("bare"), bind_context(lambda: logger.info("bound"))):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()

    assert logged(working().execute()) == ["bound"]


def test_captured_warnings_are_recorded() -> None:
    """With logging.captureWarnings a warning inside a flow is an entry like any other record."""

    @flow
    def working() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(capture=True)
            try:
                warnings.warn("careful", stacklevel=2)
            finally:
                logging.captureWarnings(capture=False)

    [entry] = working().execute().captured_logs()
    assert (entry.level, entry.logger, entry.source) == ("WARNING", "py.warnings", "logging")
    assert "careful" in entry.message
