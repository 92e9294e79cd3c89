"""Capturing standard logging of the code that runs inside flows, whatever class its loggers have.

The hook records a log record after its logger's level and filters, before the handlers: in `callHandlers` of its logger's
class, or, if an overriding `handle` of that class does not call that, where the first handler gets the record.
"""

import functools
import logging
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any, Final
from weakref import WeakSet

from ...serialization.exception_snapshot import Failure
from ...serialization.json.json_leaves import safe_repr
from ..ports import LogDetails
from ..run.run import Run
from ..scope.context import Handle, Scope, current

__all__ = ["details_of", "handed_on", "handling", "hook_logging", "message_of"]


class _Handling(threading.local):
    """The record that this thread passes to logging handlers: their output is no print of the flow."""

    handle: Handle | None = None
    """The flow that does not record the writes of this thread."""
    record: logging.LogRecord | None = None
    """The record that the handlers get."""
    pending_record: logging.LogRecord | None = None
    """The record of an overriding `handle`, while that runs."""
    has_arrived = False
    """Whether a handler has got that record."""


handling: Final = _Handling()

_STANDARD: Final = logging.__name__
_hooks: Final[WeakSet[Callable[..., Any]]] = WeakSet()
_known_methods: Final[list[object]] = []
"""The methods of `logging.Logger` after the last hook."""


def hook_logging() -> None:
    """Hook into all classes of loggers. Idempotent: a removed hook is put back.

    `logging` may have been reloaded, which makes new classes, or a test may have swapped a method for a while.
    """
    if [logging.Logger.callHandlers, logging.Logger.handle] == _known_methods:
        return
    for kind in _with_subclasses(logging.Logger):
        _hook(kind)
    _hook_later_subclasses(logging.Logger)
    _known_methods[:] = logging.Logger.callHandlers, logging.Logger.handle


def _with_subclasses(kind: type[logging.Logger]) -> Iterator[type[logging.Logger]]:
    yield kind
    for subclass in kind.__subclasses__():
        yield from _with_subclasses(subclass)


def _hook_later_subclasses(base: Any) -> None:
    if "__init_subclass__" in vars(base):
        return

    def hook_subclass(kind: type, /, **options: Any) -> None:
        super(base, kind).__init_subclass__(**options)
        _hook(kind)

    base.__init_subclass__ = classmethod(hook_subclass)


def _hook(kind: Any) -> None:
    dispatch, handle = kind.callHandlers, kind.handle
    if _is_hookable(dispatch):
        kind.callHandlers = _hooked(dispatch, _dispatch)
    if _is_hookable(handle) and handle.__module__ != _STANDARD:
        kind.handle = _hooked(handle, _handle)
        if _is_hookable(logging.Handler.handle):
            setattr(logging.Handler, "handle", _hooked(logging.Handler.handle, _handle_in_handler))  # noqa: B010 - not for types


def _is_hookable(method: Any) -> bool:
    """Whether it is a function that has no hook; a mock is none."""
    return type(method) is FunctionType and method not in _hooks


def _hooked(method: Callable[..., Any], hook: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def hooked(self: Any, record: logging.LogRecord) -> Any:
        scope = current.get()
        run: Run | None = None if scope is None else scope.handle.run or scope.handle.ensure_run()
        if scope is None or run is None or not run.log.captures_logging:
            return method(self, record)
        return hook(method, self, record, scope, run)

    _hooks.add(hooked)
    return hooked


def _dispatch(
    method: Callable[..., Any], logger: logging.Logger, record: logging.LogRecord, scope: Scope, run: Run
) -> Any:
    """`callHandlers` inside a flow."""
    if handling.pending_record is not None and _is_same(record, handling.pending_record):
        if handling.has_arrived:
            return method(logger, record)
        handling.has_arrived = True
    _record(record, scope, run)
    if record.levelno >= run.log.threshold and method.__module__ == _STANDARD and not logger.hasHandlers():
        return None  # the log of the flow has the record: the last resort would double it
    outer = handling.record, handling.handle
    handling.record, handling.handle = record, scope.handle
    try:
        return method(logger, record)
    finally:
        handling.record, handling.handle = outer


def _handle(
    method: Callable[..., Any],
    logger: logging.Logger,
    record: logging.LogRecord,
    scope: Scope,
    run: Run,  # noqa: ARG001 - of the port
) -> Any:
    """An overriding `handle` inside a flow."""
    if _is_handed_on(record) or handling.pending_record is record:
        return method(logger, record)
    outer = handling.pending_record, handling.has_arrived, handling.handle
    handling.pending_record, handling.has_arrived, handling.handle = record, False, scope.handle
    try:
        return method(logger, record)
    finally:
        handling.pending_record, handling.has_arrived, handling.handle = outer


def _handle_in_handler(
    method: Callable[..., Any], handler: logging.Handler, record: logging.LogRecord, scope: Scope, run: Run
) -> Any:
    """`Handler.handle` inside a flow, where a class overrides `Logger.handle`."""
    if handling.pending_record is not None and not handling.has_arrived and _is_same(record, handling.pending_record):
        handling.has_arrived = True
        _record(record, scope, run)
    return method(handler, record)


def _record(record: logging.LogRecord, scope: Scope, run: Run) -> None:
    if record.levelno >= run.log.threshold and not _is_handed_on(record):
        run.log.add_entry(
            record.levelno, message_of(record), scope, "logging", record.name, details=details_of(record, run)
        )


def _is_handed_on(record: logging.LogRecord) -> bool:
    """Whether a handler passes its record, or a copy, to another logger."""
    return handling.record is not None and _is_same(record, handling.record)


@contextmanager
def handed_on(record: logging.LogRecord) -> Generator[None]:
    """A block in which a record that is recorded already goes to the standard handlers."""
    outer = handling.record
    handling.record = record
    try:
        yield
    finally:
        handling.record = outer


def _is_same(record: logging.LogRecord, other: logging.LogRecord) -> bool:
    return record.created == other.created and record.msg is other.msg


def message_of(record: logging.LogRecord) -> str:
    """The text of a standard record, also where its arguments do not fit."""
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit their format: logging itself only complains
        return f"{record.msg if isinstance(record.msg, str) else safe_repr(record.msg)} {safe_repr(record.args)}"


_STANDARD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def details_of(record: logging.LogRecord, run: Run) -> LogDetails:
    """The parts of a standard record beside its text: its `extra`, its place in the code and its exception."""
    fields = {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}
    error = record.exc_info[1] if record.exc_info else None
    failure = None if error is None else Failure(error, run.failures)
    return LogDetails(fields, record.pathname, record.lineno, failure)
