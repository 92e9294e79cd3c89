"""Capturing prints and standard logging of the code that runs inside flows.

Both ask the ContextVar, so that concurrent flows in tasks and threads never mix. `sys.stdout` and `sys.stderr` are
replaced while flows run. `logging.Logger` is hooked once, at the first flow, where records have passed their logger's
level and filters and before propagation: so a record is seen once, also of loggers that do not propagate.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TextIO, final

from ..model.records import LogSource
from ..model.values import safe_repr
from .context import current
from .failure import Failure
from .run import Run

__all__ = ["Installation", "begin_capture", "write_console"]

StreamName = Literal["stdout", "stderr"]

_NAMES: Final[tuple[StreamName, ...]] = ("stdout", "stderr")


class _Handling(threading.local):
    """Whether this thread is inside a logging handler, whose output is no print of the flow."""

    active = False


_handling: Final = _Handling()


@final
class StreamProxy:
    """Stands in for a standard stream: what a flow writes is recorded, everything else goes through.

    It outlives its installation where somebody kept it, and then only passes on.
    """

    def __init__(self, name: StreamName, real: TextIO) -> None:
        self._name: StreamName = name
        self.real = real
        """What it stands in for."""

    def write(self, text: str) -> int:
        """Record the text in the running flow, or write it to the real stream."""
        scope = current.get()
        if scope is None or _handling.active or type(text) is not str:
            return self._target().write(text)
        run: Run | None = scope.handle.run
        if run is None or not run.journal.hears_prints:
            return self._target().write(text)
        if run.config.log_to_console:
            write_console(text, self._name)
        run.journal.take_print(text, scope, self._name)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of the strings."""
        for line in lines:
            self.write(line)

    def _target(self) -> TextIO:
        """The real stream, or, if that was closed behind our back, the one in use now."""
        if not getattr(self.real, "closed", False):
            return self.real
        present = getattr(sys, self._name)
        return (sys.__stdout__ or self.real) if present is self else present

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target(), name)

    def __iter__(self) -> Any:
        return iter(self._target())

    def __enter__(self) -> Any:
        return self._target().__enter__()

    def __exit__(self, *details: Any) -> None:
        self._target().__exit__(*details)

    def __repr__(self) -> str:
        return f"<flowscope proxy of {self.real!r}>"


class Installation:
    """Counts the running flows that capture, in one process."""

    def __init__(self) -> None:
        self.flows = 0
        self.lock = threading.Lock()

    def leave(self) -> None:
        """Restore the streams when the last flow has ended; one that the user has put in their place stays."""
        with self.lock:
            self.flows -= 1
            if self.flows == 0:
                _restore_streams()


class _LoggingHook:
    """The hook in `logging.Logger`, which stays once it is there."""

    def __init__(self) -> None:
        self.hooked = False
        self.call_handlers: Callable[[logging.Logger, logging.LogRecord], None] = logging.Logger.callHandlers
        """What the hook passes records on to."""


_logging_hook: Final = _LoggingHook()
_installation = Installation()


def begin_capture(run: Run) -> Installation:
    """Install what is not installed, for a flow that starts; it leaves the installation at its end."""
    installation = _installation
    with installation.lock:
        installation.flows += 1
        if run.config.capture_stdout:
            for name in _NAMES:
                stream = getattr(sys, name)
                if stream is not None and type(stream) is not StreamProxy:
                    setattr(sys, name, StreamProxy(name, stream))
        if run.journal.hears_logging and not _logging_hook.hooked:
            _logging_hook.hooked = True
            _logging_hook.call_handlers = logging.Logger.callHandlers
            logging.Logger.callHandlers = _call_handlers  # type: ignore[method-assign,assignment]
    return installation


def _restore_streams() -> None:
    for name in _NAMES:
        stream = getattr(sys, name)
        if type(stream) is StreamProxy:
            setattr(sys, name, stream.real)


def write_console(text: str, source: LogSource) -> None:
    """Write to the real standard stream, past any flow. A console that refuses does not hurt the run."""
    stream = sys.stderr if source == "stderr" else sys.stdout
    real = stream.real if type(stream) is StreamProxy else stream
    try:
        real.write(text)
    except UnicodeEncodeError:
        real.write(text.encode("ascii", "backslashreplace").decode("ascii"))
    except Exception:  # closed, broken, or none at all
        return


def _call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
    """What `Logger.callHandlers` does while flowscope is loaded."""
    scope = current.get()
    run: Run | None = None if scope is None else scope.handle.run
    if run is None or not run.journal.hears_logging:
        _logging_hook.call_handlers(logger, record)
        return
    if record.levelno >= run.journal.threshold and not _handling.active:
        run.journal.say(record.levelno, _message(record), scope, "logging", record.name)
    outer, _handling.active = _handling.active, True
    try:
        _logging_hook.call_handlers(logger, record)
    finally:
        _handling.active = outer


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception:  # arguments that do not fit their format: logging itself only complains
        text = safe_repr(record.msg)
    if record.exc_info and record.exc_info[1] is not None:
        text = f"{text}\n{Failure(record.exc_info[1]).text()}".rstrip()
    return text


def _forget_in_child() -> None:
    """In a forked process no flow is running; those of its parent leave an installation that is not its own."""
    global _installation  # noqa: PLW0603 - one per process
    _installation = Installation()
    _restore_streams()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
