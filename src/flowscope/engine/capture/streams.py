"""Capturing prints and standard logging of the code that runs inside flows.

Both ask the ContextVar, so that concurrent flows in tasks and threads never mix. `sys.stdout` and `sys.stderr` are
replaced while flows run. `logging.Logger` is hooked once, at the first flow, where records have passed their logger's
level and filters and before propagation: so a record is seen once, also of loggers that do not propagate.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TextIO, final

from ...concurrency.fork import call_in_forked_children
from ...concurrency.process_locks import LOCKS
from ...model.records import LogSource
from ...serialization.exception_snapshot import Failure
from ...serialization.json_values import safe_repr
from ..run.run import Run
from ..scope.context import Handle, current

__all__ = ["begin_capture", "begin_capture_of_block", "end_capture", "write_console"]

StreamName = Literal["stdout", "stderr"]

_NAMES: Final[tuple[StreamName, ...]] = ("stdout", "stderr")


class _Handling(threading.local):
    """The record that this thread is handing to logging handlers: what they write is no print of the flow."""

    record: logging.LogRecord | None = None
    handle: Handle | None = None


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
        self.flows = 0
        """How many running flows have it installed."""

    def write(self, text: str) -> int:
        """Record the text in the running flow, or write it to the real stream."""
        scope = current.get()
        if scope is None or scope.handle is _handling.handle or not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] # the real stream refuses what is not text
            return self._target().write(text)
        run: Run | None = scope.handle.run or scope.handle.opened()
        if run is None or not run.log.captures_stdout:
            return self._target().write(text)
        exact = str.__str__(text)
        if run.config.log_to_console:
            write_console(exact, self._name)
        run.log.write_stream(exact, scope, self._name)
        return len(exact)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of the strings."""
        for line in lines:
            self.write(line)

    def _target(self) -> TextIO:
        """The real stream, or, if that was closed behind our back, the one in use now."""
        if not getattr(self.real, "closed", False):
            return self.real
        present = getattr(sys, self._name)
        return (getattr(sys, f"__{self._name}__") or self.real) if type(present) is StreamProxy else present

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


def begin_capture(run: Run) -> tuple[StreamProxy, ...]:
    """Install what is not installed, for a flow that starts; return what stands in for the streams it prints to."""
    return _begin(captures_logging=run.log.captures_logging, captures_prints=run.config.capture_stdout)


def begin_capture_of_block() -> tuple[StreamProxy, ...]:
    """Install everything, for a `with` block: the config that its run will have is not settled."""
    return _begin(captures_logging=True, captures_prints=True)


def _begin(*, captures_logging: bool, captures_prints: bool) -> tuple[StreamProxy, ...]:
    with LOCKS.installing:
        if captures_logging:
            _logging_hook.install()
        if not captures_prints:
            return ()
        return tuple(proxy for name in _NAMES if (proxy := _installed(name)) is not None)


def end_capture(proxies: tuple[StreamProxy, ...]) -> None:
    """Restore the streams that no other flow prints to; one that the user has put in their place stays."""
    with LOCKS.installing:
        for proxy in proxies:
            proxy.flows -= 1
            if proxy.flows == 0:
                _uninstall(proxy)


def _installed(name: StreamName) -> StreamProxy | None:
    """The proxy in the place of a standard stream; None if there is no such stream."""
    stream = getattr(sys, name)
    if stream is None:
        return None
    proxy = stream if type(stream) is StreamProxy else _proxy_of(name, stream)
    proxy.flows += 1
    if proxy is not stream:
        setattr(sys, name, proxy)
    return proxy


_latest: Final[dict[StreamName, StreamProxy]] = {}


def _proxy_of(name: StreamName, stream: TextIO) -> StreamProxy:
    """The proxy of a stream, which is the same from flow to flow.

    It is never let go between them: `print` looks up `sys.stdout` without holding it, so that a print of another thread
    would write to what is no more.
    """
    proxy = _latest.get(name)
    if proxy is None or proxy.real is not stream:
        proxy = _latest[name] = StreamProxy(name, stream)
    return proxy


def _uninstall(proxy: StreamProxy) -> None:
    for name in _NAMES:
        if getattr(sys, name) is proxy:
            setattr(sys, name, proxy.real)


def write_console(text: str, source: LogSource) -> None:
    """Write to the real standard stream, past any flow. A console that refuses does not hurt the run."""
    stream = sys.stderr if source == "stderr" else sys.stdout
    real = stream.real if type(stream) is StreamProxy else stream
    try:
        try:
            real.write(text)
        except UnicodeEncodeError:
            real.write(text.encode("ascii", "backslashreplace").decode("ascii"))
    except Exception:  # closed, broken, or none at all
        return


class _LoggingHook:
    """The hook in `logging.Logger`, which stays once it is there."""

    def __init__(self) -> None:
        self._installed = False
        self.call_handlers: Callable[[logging.Logger, logging.LogRecord], None] = logging.Logger.callHandlers
        """What the hook passes records on to."""

    def install(self) -> None:
        """Hook in, the first time."""
        if not self._installed:
            self._installed = True
            self.call_handlers = logging.Logger.callHandlers
            logging.Logger.callHandlers = _call_handlers  # type: ignore[method-assign,assignment]


_logging_hook: Final = _LoggingHook()


def _call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
    """What `Logger.callHandlers` does while flowscope is loaded."""
    scope = current.get()
    run: Run | None = None if scope is None else scope.handle.run or scope.handle.opened()
    if scope is None or run is None or not run.log.captures_logging:
        _logging_hook.call_handlers(logger, record)
        return
    if record.levelno >= run.log.threshold and not _handed_on(record):
        run.log.add_entry(record.levelno, _message(record), scope, "logging", record.name)
    outer = _handling.record, _handling.handle
    _handling.record, _handling.handle = record, scope.handle
    try:
        _logging_hook.call_handlers(logger, record)
    finally:
        _handling.record, _handling.handle = outer


def _handed_on(record: logging.LogRecord) -> bool:
    """Whether a handler is passing the record, or a copy, that it was given to another logger."""
    given = _handling.record
    return given is not None and record.created == given.created and record.msg is given.msg


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception:  # arguments that do not fit their format: logging itself only complains
        text = f"{record.msg if isinstance(record.msg, str) else safe_repr(record.msg)} {safe_repr(record.args)}"
    if record.exc_info and record.exc_info[1] is not None:
        text = f"{text}\n{Failure(record.exc_info[1]).text()}".rstrip()
    return text


@call_in_forked_children
def _forget_in_child() -> None:
    """In a forked process no flow is running."""
    for name in _NAMES:
        stream = getattr(sys, name)
        if type(stream) is StreamProxy:
            setattr(sys, name, stream.real)
    _latest.clear()
