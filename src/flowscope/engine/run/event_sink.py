"""The facts of a run as events: this module makes the payload of each kind, and only for listeners."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from typing_extensions import override

from ..._clock import seconds
from ...model.events import EventType
from ...model.status import FAILED, RunStatus
from ...serialization.exception_snapshot import Failure
from ...serialization.masked_payloads import payload_value
from ...serialization.redaction import Redactor
from ..events.dispatcher import EventDispatcher, PendingEvent
from ..ports import ArtifactFact, FailedAttempt, LogLine, ResultFact, RunSink, RunView
from ..scope.call import Call, order_at
from ..scope.context import Scope

__all__ = ["EventSink"]


class EventSink(RunSink):
    """Turns facts into events, and hands them to the dispatcher of the run."""

    __slots__ = ("_dispatcher", "_redactor")

    def __init__(self, dispatcher: EventDispatcher, redactor: Redactor) -> None:
        self._dispatcher = dispatcher
        self._redactor = redactor

    @override
    def run_started(self, run: RunView) -> None:
        if self._dispatcher.has_listeners:
            self._dispatcher.emit(EventType.FLOW_START, {"parent_flow_id": run.parent_flow_id}, None)

    @override
    def task_started(self, call: Call) -> None:
        if self._dispatcher.has_listeners:
            self._dispatcher.emit(EventType.TASK_START, _task_start(call), call)

    @override
    def attempt_failed(self, call: Call, failure: FailedAttempt) -> None:
        if self._dispatcher.has_listeners:
            data = {"attempt": failure.attempt, "delay": failure.delay, "error": failure.error}
            self._dispatcher.emit(EventType.TASK_RETRY, data, call, level=logging.WARNING)

    @override
    def task_ended(self, call: Call, failure: Failure | None) -> None:
        if self._dispatcher.has_listeners:
            level = _stop_level(call.status)
            self._dispatcher.emit(EventType.TASK_STOP, _task_stop(call, failure), call, level=level)

    @override
    def logged(self, line: LogLine, message: object, scope: Scope | None) -> None:
        if self._dispatcher.has_listeners:
            payload = {"log_level": line.level, "message": str(message), "message_text": str(line.message)}
            data = {"message_data": payload}
            self._dispatcher.emit(EventType.FLOW_MESSAGE, data, scope, source=line.source, level=line.level)

    @override
    def artifact_added(self, artifact: ArtifactFact, scope: Scope | None) -> None:
        if self._dispatcher.has_listeners:
            payload = {
                "description": artifact.description,
                "key": artifact.key,
                "data": payload_value(self._redactor, artifact.key, artifact.data),
                "type": artifact.artifact_type,
            }
            self._dispatcher.emit(EventType.NEW_ARTIFACT, {"artifact_data": payload}, scope)

    @override
    def result_added(self, result: ResultFact, scope: Scope | None) -> None:
        if self._dispatcher.has_listeners:
            masked = payload_value(self._redactor, result.key, result.value)
            payload = {"key": result.key, "description": result.description, "value": masked}
            self._dispatcher.emit(EventType.NEW_RESULT, {"result_data": payload}, scope)

    @override
    def run_ended(self, run: RunView, abandoned: Sequence[Call]) -> None:
        self._dispatcher.finish(lambda open_calls: self._final_events(run, open_calls, abandoned))

    def _final_events(
        self, run: RunView, open_calls: Mapping[int, Call], abandoned: Sequence[Call]
    ) -> Iterator[PendingEvent]:
        """The ends of the calls that are open, and that of the run.

        Args:
            run: The run.
            open_calls: The calls with a start event and no end event, by execution order.
            abandoned: The calls that the record shows as abandoned.
        """
        pending_event = self._dispatcher.pending_event
        unfinished = {call.order: call for call in abandoned}
        for order, call in open_calls.items():
            if order not in unfinished:
                unfinished[order] = call if call.ended else run.abandon(call)
        for order, call in sorted(unfinished.items()):
            if order not in open_calls:
                yield pending_event(EventType.TASK_START, _task_start(call), call)
            data = _task_stop(call, run.failures.get(order))
            yield pending_event(EventType.TASK_STOP, data, call, level=_stop_level(call.status))
        yield pending_event(EventType.FLOW_STOP, _flow_stop(run), None, level=_stop_level(run.status))


def _task_start(call: Call) -> dict[str, Any]:
    return {"parent_task_id": call.handle.task_id(order_at(call.parent, call.handle))}


def _task_stop(call: Call, failure: Failure | None) -> dict[str, Any]:
    return {
        "status": call.status,
        "duration": seconds(call.started, call.ended),
        "attempt": call.attempt,
        "error": None if failure is None else failure.info(),
    }


def _flow_stop(run: RunView) -> dict[str, Any]:
    total, failed = run.task_counts()
    return {
        "status": run.status,
        "duration": run.duration,
        "error": None if run.failure is None else run.failure.info(),
        "tasks": {"total": total, "failed": failed},
    }


def _stop_level(status: RunStatus) -> int:
    """The level of the end event of a task or flow."""
    return logging.ERROR if status in FAILED else logging.INFO
