"""The messages of a worker process, entered into the record of the flow as they arrive."""

import logging
import traceback
from functools import partial
from typing import Any, Final

from ..._clock import anchor, tick
from ...engine.capture.streams import write_console
from ...engine.lifecycle.task_lifecycle import attempt_failed, begin, end_remotely, keep_progress, revise, start
from ...engine.live import Task
from ...engine.ports import ArtifactFact, FailedAttempt, LogLine, ResultFact
from ...engine.run.run import Run
from ...engine.scope.call import Call
from ...engine.scope.context import enter, leave, outside
from ...model.records import Progress
from ...model.status import RunStatus
from ...serialization.exception_snapshot import Failure
from ...serialization.transport.exception_transport import remote_error
from .messages import Entered, Left, Message, Progressed, Retried, Revised, Started

__all__ = ["Replay"]

_log: Final = logging.getLogger("flowscope")


class Replay:
    """Enters the messages of one attempt into the record of its flow, while that is running."""

    def __init__(self, call: Call) -> None:
        self._top = call
        self._calls: dict[int, Call] = {}
        """The calls of this record by their execution order in the worker."""
        self._sent = tick()
        self.started: bool = False
        """Whether the attempt has begun."""
        self._shift = 0
        """What turns ticks of the worker into ticks of this process."""

    def take(self, message: Message) -> None:
        """Enter one message; what goes wrong with it is logged, for the next one is on its way."""
        run: Run | None = self._top.handle.run
        if run is None:
            return
        try:
            self._enter_message(run, message)
        except Exception:
            with outside():
                _log.warning("a message of a worker could not be recorded", exc_info=True)

    def _enter_message(self, run: Run, message: Message) -> None:
        match message:
            case Started():
                self._synchronise(message)
            case LogLine():
                self._log_line(run, message)
            case ArtifactFact():
                run.log.keep_artifact(message._replace(ticks=self._here(message.ticks)), self._call(message.order))
            case ResultFact():
                run.log.keep_result(message._replace(ticks=self._here(message.ticks)), self._call(message.order))
            case Entered():
                self._enter(run, message)
            case Retried():
                started, ended = self._here(message.started), self._here(message.ended)
                failure = Failure(remote_error(message.error))
                failed_attempt = FailedAttempt(message.attempt, message.delay, failure, started, ended)
                attempt_failed(self._call(message.order), failed_attempt)
            case Progressed():
                progress = Progress(done=message.done, total=message.total, message=message.message)
                keep_progress(self._call(message.order), progress)
            case Revised():
                call = self._call(message.order)
                if not call.ended:
                    revise(call, "task_name", message.task_name)
                    revise(call, "raise_on_error", message.raise_on_error)
            case Left():
                self._leave(message)
            case _:
                pass

    def close(self) -> None:
        """End what is still open of an attempt that is over: the process that ran it is gone."""
        for call in reversed(self._calls.values()):
            end_remotely(call, RunStatus.ABANDONED, None, None, tick())
            _forget_unless_kept(call)
        self._calls.clear()

    def _synchronise(self, started: Started) -> None:
        """Find out how the clocks differ: by their anchors, but nothing is told before it was asked for."""
        self.started = True
        shift = started.anchor - anchor()
        self._shift = min(max(shift, self._sent - started.ticks), tick() - started.ticks)

    def _here(self, ticks: int) -> int:
        return min(ticks + self._shift, tick())

    def _call(self, order: int) -> Call:
        return self._calls.get(order, self._top)

    def _log_line(self, run: Run, line: LogLine) -> None:
        printed = line.source in {"stdout", "stderr"}
        if printed and run.config.log_to_console:
            write_console(f"{line.message}\n", line.source)
        if line.source == "logging":
            _log_here(line)
        call = self._call(line.order)
        run.log.add_entry(
            line.level, line.message, call, line.source, line.logger, details=line.details, at=self._here(line.ticks)
        )

    def _enter(self, run: Run, message: Entered) -> None:
        token = enter(self._call(message.parent))
        try:
            definition: Any = _RemoteDefinition(message)
            call = begin(definition, message.args, message.kwargs, waits=True)
        finally:
            leave(token, None)
        run.handle.remote_task_ids[call.order] = message.task_id
        if message.executor != "inline":
            run.placements[call.order] = message.executor
        if message.run_name is not None:
            run.ensure_reports().run_names[call.order] = message.run_name
        self._calls[message.order] = call
        start(call, self._here(message.ticks))

    def _leave(self, message: Left) -> None:
        call = self._calls.pop(message.order, None)
        if call is not None:
            call.attempt = message.attempt
            run: Run | None = call.handle.run
            if run is not None and message.yield_count is not None:
                run.ensure_reports().yield_counts[call.order] = message.yield_count
            failure = None if message.info is None else Failure(remote_error(message.info))
            end_remotely(call, message.status, message.value, failure, self._here(message.ticks))
            _forget_unless_kept(call)


def _forget_unless_kept(call: Call) -> None:
    run: Run | None = call.handle.run
    if run is not None and not run.calls.keeps_calls:
        run.handle.remote_task_ids.pop(call.order, None)
        run.placements.pop(call.order, None)


def _log_here(line: LogLine) -> None:
    """Log a line with the handlers of this process, if there are any."""
    record = logging.LogRecord(line.logger, line.level, "", 0, "%s", (line.message,), None)
    logger = logging.getLogger(line.logger)
    if not logger.hasHandlers():  # it is in the log of the flow: this is no case for logging's last resort
        return
    with outside():
        try:
            logger.handle(record)
        except Exception:  # a handler that does not contain its own errors, as logging asks it to
            if logging.raiseExceptions:
                traceback.print_exc()


class _RemoteDefinition:
    """The definition of a task that a worker process calls, as far as this process knows it."""

    def __init__(self, message: Entered) -> None:
        self.name = message.task_name
        self.tags = message.tags
        self.positional_names = message.names
        self.binds_self = False
        self.extras = None
        self.run_name = None
        self.new_call = partial(object.__new__, Task)
