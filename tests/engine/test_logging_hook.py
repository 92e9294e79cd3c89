"""Standard logging is recorded whatever others have done to the `logging` module, and whatever class its loggers have."""

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import Flow, flow, submit, task, use_executor

COMMON = """
import importlib, logging
from unittest import mock
from flowscope import flow

def talk(name="service"):
    logging.getLogger(name).warning("record")

def found(name="service"):
    return [(entry.source, entry.message) for entry in flow(talk)(name).execute().captured_logs()]

real = logging.Logger.callHandlers
real_handle = logging.Logger.handle
"""

AROUND_FIRST_FLOW = {
    "callHandlers": """
with mock.patch.object(logging.Logger, "callHandlers", lambda self, record: real(self, record)):
    found()
""",
    "callHandlers, with a mock": """
with mock.patch.object(logging.Logger, "callHandlers") as seen:
    found()
""",
    "handle": """
with mock.patch.object(logging.Logger, "handle", lambda self, record: real_handle(self, record)):
    assert found() == [("logging", "record")]
""",
    "handle, with a mock": """
with mock.patch.object(logging.Logger, "handle") as seen:
    found()
    seen.assert_called_once()
""",
    "a method of a subclass": """
class Own(logging.Logger):
    def callHandlers(self, record):
        super().callHandlers(record)
logging.setLoggerClass(Own)
with mock.patch.object(Own, "callHandlers", lambda self, record: real(self, record)):
    assert found("first") == [("logging", "record")]
""",
    "the module": """
found()
importlib.reload(logging)
""",
    "the module, with old loggers": """
old = logging.getLogger("old")
found()
importlib.reload(logging)
assert len(flow(lambda: old.warning("old"))().execute().captured_logs()) == 1
""",
}


@pytest.mark.parametrize("before", AROUND_FIRST_FLOW.values(), ids=AROUND_FIRST_FLOW)
def test_records_are_captured_after_a_patch_was_undone(before: str) -> None:
    """What a test or a notebook did around the first flow of a process takes nothing from the later ones."""
    program = f"{COMMON}{before}\nassert found() == found('fresh') == [('logging', 'record')], found()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_patch_inside_a_flow_that_is_undone_ends_no_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods that are swapped out and back while a flow runs record again afterwards."""

    def to_nobody(*_: object) -> None: ...

    @flow
    def talk() -> None:
        for name in ("callHandlers", "handle"):
            with monkeypatch.context() as patches:
                patches.setattr(logging.Logger, name, to_nobody)
                logging.getLogger("service").warning("to nobody")
            logging.getLogger("service").warning(name)

    assert logged(talk().execute()) == ["callHandlers", "handle"]


class Collector(logging.Handler):
    """Keeps what it is given, and prints it."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        print("handler:", record.getMessage())
        self.messages.append(record.getMessage())


class Direct(logging.Logger):
    """Hands records to its handlers by itself."""

    def callHandlers(self, record: logging.LogRecord) -> None:
        for handler in self.handlers:
            handler.handle(record)


class Calls(logging.Logger):
    """Adds something to what loggers do."""

    def callHandlers(self, record: logging.LogRecord) -> None:
        super().callHandlers(record)

    def handle(self, record: logging.LogRecord) -> None:
        super().handle(record)


class OwnHandle(logging.Logger):
    """Hands records to its handlers without the methods that are there for that."""

    def handle(self, record: logging.LogRecord) -> None:
        if self.filter(record):
            for handler in self.handlers:
                handler.handle(record)


class Both(OwnHandle):
    """Is of a class with its own `handle`, and gives each record to its handlers a second time."""

    def handle(self, record: logging.LogRecord) -> None:
        super().handle(record)
        self.callHandlers(record)


class Mixin:
    """Is no logger itself."""

    handlers: list[logging.Handler]

    def callHandlers(self, record: logging.LogRecord) -> None:
        for handler in self.handlers:
            handler.handle(record)


class Mixed(Mixin, logging.Logger):
    """Has its dispatch from a class that is no logger."""


KINDS = [logging.Logger, Direct, Calls, OwnHandle, Both, Mixed]


def logged(run: Flow[Any]) -> list[str]:
    assert {entry.source for entry in run.captured_logs()} <= {"logging"}
    return [entry.message for entry in run.captured_logs()]


@pytest.mark.parametrize("kind", KINDS)
def test_records_of_loggers_of_any_class_are_captured_once(
    kind: type[logging.Logger], capsys: pytest.CaptureFixture[str]
) -> None:
    """The entry is there once, handlers get the record, and what they print is no entry: in flows, tasks and threads."""
    own, collector = kind("own"), Collector()
    own.addHandler(collector)

    @task
    def step() -> None:
        own.error("in a task")

    @flow
    def talk() -> None:
        own.warning("in the flow")
        step()
        with use_executor("thread"):
            submit(step).result()

    assert logged(talk().execute()) == ["in the flow", "in a task", "in a task"]
    assert set(collector.messages) == {"in the flow", "in a task"}
    assert capsys.readouterr().out.startswith("handler: in the flow\n")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not Both])
def test_levels_and_filters_of_loggers_of_any_class_hold(kind: type[logging.Logger]) -> None:
    """What the logger refuses is not recorded, and what a filter has made of a record is."""

    def keep_and_mask(record: logging.LogRecord) -> bool:
        record.msg = record.getMessage().replace("secret", "***")
        return "drop" not in record.msg

    own = kind("own", logging.WARNING)
    own.addHandler(logging.StreamHandler())
    own.addFilter(keep_and_mask)

    @flow
    def talk() -> None:
        own.info("too low")
        own.warning("drop this")
        own.warning("a secret")
        logging.disable(logging.ERROR)
        try:
            own.error("disabled everywhere")
        finally:
            logging.disable(logging.NOTSET)

    assert logged(talk().execute()) == ["a ***"]


def test_loggers_of_a_class_that_is_made_inside_a_flow_are_captured() -> None:
    """A library that is imported by a task may bring a class of loggers of its own, also by `setLoggerClass`."""

    @flow
    def talk() -> None:
        class Late(logging.Logger):
            def callHandlers(self, record: logging.LogRecord) -> None:
                for handler in self.handlers:
                    handler.handle(record)

        before = logging.getLoggerClass()
        logging.setLoggerClass(Late)
        try:
            logging.getLogger(f"{__name__}.late").warning("record")
        finally:
            logging.setLoggerClass(before)

    assert logged(talk().execute()) == ["record"]


def test_a_class_whose_handle_drops_a_record_has_dropped_it() -> None:
    """A logger that decides in `handle` what goes on decides that for the log of the flow, too."""

    class Picky(logging.Logger):
        def handle(self, record: logging.LogRecord) -> None:
            if "noise" not in record.getMessage():
                super().handle(record)

    own = Picky("picky")

    @flow
    def talk() -> None:
        own.warning("noise")
        own.warning("signal")

    assert logged(talk().execute()) == ["signal"]


def last_resort(execute: Callable[[Flow[Any]], object], program: Flow[Any]) -> list[str]:
    root = logging.getLogger()
    handlers = root.handlers[:]
    root.handlers[:] = []
    try:
        execute(program)
    finally:
        root.handlers[:] = handlers
    return logged(program)


@task
def warn_somebody() -> None:
    logging.getLogger("tests.unhandled").warning("unhandled")


@pytest.mark.parametrize("executor", ["asyncio", "thread"])
def test_records_without_any_handler_are_in_the_log_alone(executor: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Where logging would fall back on its last resort, the log of the flow has the record: nothing is on the console."""

    @flow
    def talk() -> None:
        warn_somebody()
        with use_executor(executor):
            submit(warn_somebody).result()

    assert last_resort(Flow.execute, talk()) == ["unhandled", "unhandled"]
    assert capfd.readouterr() == ("", "")


def test_the_last_resort_has_what_no_log_has(capsys: pytest.CaptureFixture[str]) -> None:
    """A record below the level of the flow is not recorded, so that logging shows it as it always does."""

    @flow
    def talk() -> None:
        warn_somebody()

    quiet = talk()
    quiet.flow_config = quiet.flow_config.model_copy(update={"log_level": "ERROR"})
    assert last_resort(Flow.execute, quiet) == []
    assert capsys.readouterr().err == "unhandled\n"
