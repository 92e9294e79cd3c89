"""The log, prints, artifacts and results of a run."""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Self, get_args

from ..._clock import tick, wall_time
from ...concurrency.buffers import Buffer, DiscardingBuffer, RingBuffer, UnboundedBuffer
from ...model.config import FlowConfig, LogLevel
from ...model.records import LogSource
from ...model.status import FAILED, RunStatus
from ...serialization.error_info import ErrorInfo
from ...serialization.exception_snapshot import Failure, summary_of
from ...serialization.plain_text import continued, plain_text
from ...serialization.secrets.redaction import Redactor
from ..ports import ArtifactFact, LogDetails, LogLine, ResultFact, RunSink
from ..scope.call import Call, order_at
from ..scope.context import Handle, Scope

__all__ = ["LEVELS", "LogMemory", "PartialLines", "RunLog", "clock", "error_of", "log_line"]

LEVELS: Final = {name: int(getattr(logging, name)) for name in get_args(LogLevel)}

_MAX_WAITING: Final = 65_536
"""The largest stored length of an incomplete line, in characters."""
_INDENT: Final = f"{'':12} | {'':8} | "
"""The prefix of the further lines of an entry."""


class LogMemory(NamedTuple):
    """The buffers of the log of a run."""

    lines: Buffer[LogLine]
    artifacts: Buffer[ArtifactFact]
    results: Buffer[ResultFact]

    @classmethod
    def of(cls, config: FlowConfig) -> Self:
        """The buffers that a config asks for."""
        if not config.log_to_memory:
            lines: Buffer[LogLine] = DiscardingBuffer()
        else:
            lines = UnboundedBuffer() if config.max_logs is None else RingBuffer(config.max_logs)
        return cls(lines, UnboundedBuffer(), UnboundedBuffer())

    @classmethod
    def nowhere(cls) -> Self:
        """Buffers that discard everything."""
        return cls(DiscardingBuffer(), DiscardingBuffer(), DiscardingBuffer())


class RunLog:
    """The log, artifacts and results of one run, from any thread; `close` ends it."""

    __slots__ = (
        "_config",
        "_handle",
        "_sinks",
        "_write_console",
        "artifacts",
        "captures_logging",
        "captures_stdout",
        "lines",
        "partial",
        "redactor",
        "results",
        "threshold",
    )

    lines: Buffer[LogLine]
    artifacts: Buffer[ArtifactFact]
    results: Buffer[ResultFact]

    def __init__(
        self,
        handle: Handle,
        config: FlowConfig,
        memory: LogMemory,
        sinks: Sequence[RunSink],
        redactor: Redactor,
        *,
        write_console: Callable[[str, LogSource], None],
    ) -> None:
        self._handle = handle
        self._config = config
        self._sinks = sinks
        self.redactor: Redactor = redactor
        self._write_console = write_console
        self.threshold: int = LEVELS[config.log_level] if config.logging_enabled else sys.maxsize
        """The lowest level that is recorded."""
        self.captures_stdout: bool = config.capture_stdout and self.threshold <= logging.INFO
        self.captures_logging: bool = config.capture_logging and config.logging_enabled
        self.lines, self.artifacts, self.results = memory
        self.partial: PartialLines = PartialLines()

    def add_entry(
        self,
        level: int,
        message: object,
        scope: Scope | None,
        source: LogSource = "log",
        logger: str = "flowscope",
        *,
        details: LogDetails | None = None,
        at: int = 0,
    ) -> None:
        """Record a log entry, if its level is recorded; `at` is its tick; 0 for now."""
        if level < self.threshold:
            return
        order = order_at(scope, self._handle)
        text = plain_text(message) if isinstance(message, str) else message
        line = LogLine(at or tick(), level, text, plain_text(logger), source, order, details)
        self.lines.append(line)
        if self._config.log_to_console and source not in {"stdout", "stderr"}:
            self._write_console(self.format(line) + "\n", "stdout")
        for sink in self._sinks:
            sink.logged(line, message, scope)

    def add_failure(
        self, subject: str, status: RunStatus, failure: Failure, scope: Scope | None, *, at: int = 0
    ) -> None:
        """Record the end of a task or flow that has not completed; its traceback too, if the config says so.

        `at` is the tick of that end; 0 for now.
        """
        has_failed = status in FAILED
        level = logging.ERROR if has_failed else logging.WARNING
        self.add_entry(level, f"{subject} {status}: {summary_of(failure.error, self.redactor)}", scope, at=at)
        if has_failed and self._config.print_error_stack_trace:
            self.add_entry(logging.ERROR, failure.text().rstrip(), scope, at=at)

    def write_stream(self, text: str, scope: Scope, source: LogSource) -> None:
        """Record printed text: complete lines now, the rest when it is complete or the task ends."""
        for line in self.partial.add(order_at(scope, self._handle), source, text):
            self.add_entry(logging.INFO, line, scope, source, source)

    def flush(self, call: Call | None, *, at: int = 0) -> None:
        """Record incomplete lines: of a task that ends at that tick (0 for now), or (None) of the whole run."""
        if not self.partial:
            return
        for order, source, text in self.partial.pop_lines(None if call is None else call.order):
            scope = call if call is not None and call.order == order else None
            self.add_entry(logging.INFO, text, scope, source, source, at=at)

    def format(self, line: LogLine, masked: Callable[[str], str] = str) -> str:
        """The entry as text; `masked` gives a text without secrets."""
        error = None if line.details is None else error_of(line.details)
        message = str(line.message) if error is None else f"{line.message}\n{error.traceback}".rstrip()
        return log_line(wall_time(line.ticks, self._handle.anchor), line.level, masked(message))

    def add_artifact(
        self, key: str | None, description: str | None, artifact_type: str | None, data: Any, scope: Scope | None
    ) -> ArtifactFact:
        """Record an artifact."""
        return self.keep_artifact(ArtifactFact(tick(), key, description, artifact_type, data, 0), scope)

    def keep_artifact(self, fact: ArtifactFact, scope: Scope | None) -> ArtifactFact:
        """Record an artifact that was added here or in another process."""
        fact = fact._replace(order=order_at(scope, self._handle))
        self.artifacts.append(fact)
        for sink in self._sinks:
            sink.artifact_added(fact, scope)
        return fact

    def add_result(self, key: str, description: str, value: Any, scope: Scope | None) -> ResultFact:
        """Record a result."""
        return self.keep_result(ResultFact(tick(), key, description, value, 0), scope)

    def keep_result(self, fact: ResultFact, scope: Scope | None) -> ResultFact:
        """Record a result that was added here or in another process."""
        fact = fact._replace(order=order_at(scope, self._handle))
        self.results.append(fact)
        for sink in self._sinks:
            sink.result_added(fact, scope)
        return fact

    def close(self) -> None:
        """Discard all further facts."""
        self.threshold = sys.maxsize
        self.captures_stdout = self.captures_logging = False
        self.lines = self.lines.close()
        self.artifacts = self.artifacts.close()
        self.results = self.results.close()


def error_of(details: LogDetails) -> ErrorInfo | None:
    """The exception of a log entry."""
    return details.error.info() if isinstance(details.error, Failure) else details.error


def clock(moment: datetime) -> str:
    """`HH:MM:SS.mmm`, in local time."""
    local = moment.astimezone()
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"


def log_line(moment: datetime, level: int, message: object) -> str:
    """`HH:MM:SS.mmm | INFO     | text`, in local time; the further lines of the text are indented."""
    return f"{clock(moment)} | {logging.getLevelName(level):<8} | {continued(str(message), _INDENT)}"


class _Pieces(list[str]):
    """The pieces of an incomplete line."""

    __slots__ = ("is_cut", "length")

    def __init__(self, texts: list[str]) -> None:
        super().__init__(texts)
        self.length = sum(map(len, texts))
        self.is_cut = False

    def add(self, text: str) -> None:
        """Add a piece; of the earlier ones the newest 65,536 characters stay."""
        if self.length > _MAX_WAITING:
            self[:] = ["".join(self)[-_MAX_WAITING:]]
            self.length = _MAX_WAITING
            self.is_cut = True
        self.append(text)
        self.length += len(text)


class PartialLines(dict[tuple[int, LogSource, int], list[str]]):
    """Printed text that waits for the rest of its line: joined per task, stream and thread."""

    __slots__ = ()

    def add(self, order: int, source: LogSource, text: str) -> list[str]:
        """Add text; return the lines that it completes."""
        key = (order, source, threading.get_ident())
        *lines, rest = text.split("\n")
        if lines:
            waiting = self.pop(key, ())
            start = "".join(waiting)
            lines[0] = (start[-_MAX_WAITING:] if type(waiting) is _Pieces and waiting.is_cut else start) + lines[0]
        if rest:
            self._append(key, rest)
        return [line.removesuffix("\r") for line in lines]

    def _append(self, key: tuple[int, LogSource, int], text: str) -> None:
        waiting = self.get(key)
        if waiting is None:
            self[key] = [text]  # one piece and its newline are all that most lines are made of
            return
        if type(waiting) is not _Pieces:
            waiting = self[key] = _Pieces(waiting)
        waiting.add(text)

    def pop_lines(self, order: int | None) -> list[tuple[int, LogSource, str]]:
        """Remove and return the incomplete lines, of one task or (None) of all."""
        keys = [key for key in tuple(self) if order is None or key[0] == order]
        return [(key[0], key[1], "".join(parts)[-_MAX_WAITING:]) for key in keys if (parts := self.pop(key, None))]
