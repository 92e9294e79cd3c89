"""Logging with fields, and the standard logger of the running flow."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from flowscope import (
    Flow,
    FlowConfig,
    NoActiveFlowError,
    ProcessExecutor,
    current_flow,
    current_task,
    flow,
    get_run_logger,
    submit,
    task,
    use_executor,
)
from support.logging_tasks import say_there


class Handler(logging.Handler):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
        self.records.append(record)


@pytest.fixture
def handler() -> Iterator[Handler]:
    """A handler of the standard logger, which lets warnings through."""
    logger, made = logging.getLogger("flowscope.run"), Handler()
    logger.addHandler(made)
    logger.setLevel(logging.WARNING)
    yield made
    logger.removeHandler(made)
    logger.setLevel(logging.NOTSET)


@task
def talk() -> None:
    """Use all methods."""
    logger = get_run_logger()
    logger.debug("debug %s", 1)
    logger.info("info", extra={"rows": 3, "password": "a-secret-word"})
    logger.warning("warning")
    try:
        raise LookupError("lost")
    except LookupError:
        logger.exception("exception")
    logger.log(logging.CRITICAL, "critical")


@flow
def talking() -> None:
    """One task."""
    talk()


def test_entries_are_kept_from_the_level_of_the_flow_on(handler: Handler) -> None:
    """Whatever the level of the standard logger, which decides about handlers alone; nothing is recorded twice."""
    made = talking().execute()
    entries = [entry for entry in made.captured_logs() if entry.logger == "flowscope.run"]
    assert [(entry.level, entry.message, entry.source) for entry in entries] == [
        ("DEBUG", "debug 1", "log"),
        ("INFO", "info", "log"),
        ("WARNING", "warning", "log"),
        ("ERROR", "exception", "log"),
        ("CRITICAL", "critical", "log"),
    ]
    assert len(entries) == len(
        [e for e in made.captured_logs() if e.source in {"log", "logging"} and e.logger != "flowscope"]
    )
    assert {entry.task_id for entry in entries} == {made.executed_tasks[0].task_id}
    assert entries[1].fields == {"rows": 3, "password": "**********"}
    assert entries[3].error is not None
    assert (entries[3].error.type, entries[3].error.message) == ("LookupError", "lost")
    assert {entry.path for entry in entries} == {__file__}
    assert [record.getMessage() for record in handler.records] == ["warning", "exception", "critical"]
    assert [record.lineno for record in handler.records] == [entry.line for entry in entries[2:]]


def test_the_level_of_the_flow_decides(handler: Handler) -> None:
    """And `isEnabledFor` says so."""

    @flow(flow_config=FlowConfig(log_level="ERROR"))
    def quiet() -> list[bool]:
        talk()
        logger = get_run_logger()
        return [logger.isEnabledFor(level) for level in (logging.INFO, logging.WARNING, logging.ERROR)]

    made = quiet().execute()
    assert [entry.message for entry in made.captured_logs()] == ["exception", "critical"]
    assert made.return_value == [False, True, True]
    assert len(handler.records) == 3


def test_outside_a_flow_there_is_none(handler: Handler) -> None:
    """A logger that outlives its flow logs to the standard handlers alone."""
    with pytest.raises(NoActiveFlowError):
        get_run_logger()
    loggers: list[Any] = []

    @flow
    def lending() -> None:
        loggers.append(get_run_logger())

    made = lending().execute()
    loggers[0].warning("late")
    assert [record.getMessage() for record in handler.records] == ["late"]
    assert made.captured_logs() == []


def test_fields_of_flows_and_tasks() -> None:
    """Keywords beside the text, of any name, with the place of the call."""

    @task
    def inner() -> None:
        current_task().log_warning("in the task", message="a field", level=[1, {"token": "a-secret-word"}])

    @flow
    def fields(this_flow: Flow[None] | None = None) -> None:
        current_flow().log_info("in the flow", rows=3)
        inner()
        logging.getLogger("of-a-library").error("standard", extra={"request": "r1"})
        print("a print")

    entries = fields().execute().captured_logs()
    assert [entry.fields for entry in entries] == [
        {"rows": 3},
        {"message": "a field", "level": [1, {"token": "**********"}]},
        {"request": "r1"},
        {},
    ]
    assert [entry.path for entry in entries] == [__file__] * 3 + [None]
    assert [entry.line is None for entry in entries] == [False] * 3 + [True]


def test_a_logged_exception_is_in_the_entry_and_not_in_its_text() -> None:
    """The log as text shows its traceback."""

    @flow
    def failing() -> None:
        try:
            raise LookupError("lost")
        except LookupError:
            logging.getLogger("of-a-library").exception("it failed")

    made = failing().execute()
    (entry,) = made.captured_logs()
    assert entry.message == "it failed"
    assert entry.error is not None
    assert 'raise LookupError("lost")' in entry.error.traceback
    (text,) = made.log_messages()
    assert "it failed\n" in text
    assert text.endswith("LookupError: lost")


def test_details_come_from_worker_processes() -> None:
    """Fields, places and exceptions."""

    @flow
    def there() -> None:
        with ProcessExecutor(1) as workers, use_executor(workers):
            submit(say_there).result()

    entries = [entry for entry in there().execute().captured_logs() if entry.path is not None]
    assert [entry.fields for entry in entries] == [{"rows": 3, "password": "**********"}, {}]
    assert entries[1].error is not None
    assert entries[1].error.message == "lost"
