"""What a worker tells, entered into the record of the flow, as it comes."""

import logging
import traceback
from functools import partial
from typing import Any, Final

from ..._clock import anchor, tick
from ...engine.capture.streams import write_console
from ...engine.lifecycle.task_lifecycle import attempt_failed, begin, end_remotely, revise, start
from ...engine.live import Task
from ...engine.ports import ArtifactFact, LogLine, ResultFact
from ...engine.run.run import Run
from ...engine.scope.call import Call
from ...engine.scope.context import enter, leave, outside
from ...model.status import RunStatus
from ...serialization.exception_snapshot import Failure
from ...serialization.exception_transport import remote_error
from .messages import Entered, Left, Message, Retried, Revised, Started

__all__ = ["Replay"]

_log: Final = logging.getLogger("flowscope")


class Replay:
    """Enters what is told of one attempt into the record of its flow, while that is running."""

    def __init__(self, call: Call) -> None:
        self._top = call
        self._calls: dict[int, Call] = {}
        """The calls of this record by their execution order in the worker."""
        self._sent = tick()
        self.started = False
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
                self._say(run, message)
            case ArtifactFact():
                run.log.keep_artifact(message._replace(ticks=self._here(message.ticks)), self._call(message.order))
            case ResultFact():
                run.log.keep_result(message._replace(ticks=self._here(message.ticks)), self._call(message.order))
            case Entered():
                self._enter(run, message)
            case Retried():
                call = self._call(message.order)
                call.attempt = message.failure.attempt + 1
                attempt_failed(call, message.failure)
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

    def _say(self, run: Run, line: LogLine) -> None:
        printed = line.source in {"stdout", "stderr"}
        if printed and run.config.log_to_console:
            write_console(f"{line.message}\n", line.source)
        if line.source == "logging":
            _hand_on(line)
        call = self._call(line.order)
        run.log.add_entry(line.level, line.message, call, line.source, line.logger, at=self._here(line.ticks))

    def _enter(self, run: Run, told: Entered) -> None:
        token = enter(self._call(told.parent))
        try:
            definition: Any = _RemoteDefinition(told)
            call = begin(definition, told.args, told.kwargs, waits=True)
        finally:
            leave(token, None)
        run.handle.given_ids[call.order] = told.task_id
        if told.executor != "inline":
            run.placements[call.order] = told.executor
        self._calls[told.order] = call
        start(call, self._here(told.ticks))

    def _leave(self, told: Left) -> None:
        call = self._calls.pop(told.order, None)
        if call is not None:
            call.attempt = told.attempt
            failure = None if told.info is None else Failure(remote_error(told.info))
            end_remotely(call, told.status, told.value, failure, self._here(told.ticks))
            _forget_unless_kept(call)


def _forget_unless_kept(call: Call) -> None:
    run: Run | None = call.handle.run
    if run is not None and not run.calls.kept:
        run.handle.given_ids.pop(call.order, None)
        run.placements.pop(call.order, None)


def _hand_on(line: LogLine) -> None:
    """Let the handlers of this process, if there are any, have a record of the standard logging."""
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
    """What is known here of a task that is called there."""

    def __init__(self, told: Entered) -> None:
        self.name = told.task_name
        self.tags = told.tags
        self.positional_names = told.names
        self.binds_self = False
        self.extras = None
        self.new_call = partial(object.__new__, Task)
