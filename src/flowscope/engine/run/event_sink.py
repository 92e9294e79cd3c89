"""The facts of a run as events: this module makes the payload of each kind, and only for listeners."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from typing_extensions import override

from ..._clock import seconds, tick, ticks_after, time_text, wall_time
from ...model.events import EventType
from ...model.records import Progress, config_json
from ...model.status import FAILED, RunStatus
from ...serialization.exception_snapshot import Failure
from ...serialization.json.json_leaves import text_or_none
from ...serialization.secrets.masked_payloads import json_of, json_of_args, json_of_mapping, json_of_named
from ...serialization.secrets.redaction import Redactor
from ..definitions.task_definition import TaskDefinition
from ..events.dispatcher import EventDispatcher, PendingEvent
from ..ports import NO_DETAILS, ArtifactFact, FailedAttempt, LogLine, ResultFact, RunSink, RunView
from ..scope.call import Call, attempt_start, order_at
from ..scope.context import Scope
from .log import error_of
from .secret_free_records import payload_without_known_secrets

__all__ = ["EventSink"]

_PROGRESS_INTERVAL: Final = 0.1
"""The least time between two progress events of a task, in seconds."""


class EventSink(RunSink):
    """Turns facts into events, and hands them to the dispatcher of the run."""

    __slots__ = ("_dispatcher", "_held_progress", "_next_progress", "_redactor")

    def __init__(self, dispatcher: EventDispatcher, redactor: Redactor) -> None:
        self._dispatcher = dispatcher
        self._redactor = redactor
        self._next_progress: dict[int, int] | None = None
        """The ticks of the next progress events, by execution order; None before the first one."""
        self._held_progress: dict[int, Progress] | None = None
        """Progress that came too early for an event, by execution order: the last one goes out at the end of the task."""

    def _event(
        self,
        kind: EventType,
        data: dict[str, Any],
        scope: Scope | None,
        *,
        source: str | None = None,
        level: int = logging.INFO,
        at: int = 0,
    ) -> PendingEvent:
        """An event whose payload shows none of the secrets that are known by now."""
        data = payload_without_known_secrets(data, self._redactor)
        return self._dispatcher.pending_event(kind, data, scope, source=source, level=level, at=at)

    @override
    def run_started(self, run: RunView) -> None:
        if self._dispatcher.has_listeners:
            self._dispatcher.post(
                self._event(EventType.FLOW_START, _flow_start(run, self._redactor), None, at=run.started)
            )

    @override
    def task_started(self, call: Call) -> None:
        if self._dispatcher.has_listeners:
            self._dispatcher.post(
                self._event(EventType.TASK_START, self._task_start(call.handle.run, call), call, at=call.started)
            )

    @override
    def attempt_failed(self, call: Call, failed_attempt: FailedAttempt) -> None:
        if self._dispatcher.has_listeners:
            data = {
                "attempt": failed_attempt.attempt,
                "start_time": time_text(wall_time(failed_attempt.started, call.handle.anchor)),
                "end_time": time_text(wall_time(failed_attempt.ended, call.handle.anchor)),
                "delay": failed_attempt.delay,
                "error": failed_attempt.failure.info(),
            }
            self._dispatcher.post(
                self._event(EventType.TASK_RETRY, data, call, level=logging.WARNING, at=failed_attempt.ended)
            )

    @override
    def progressed(self, call: Call, progress: Progress) -> None:
        if not self._dispatcher.has_listeners:
            return
        if self._next_progress is None or self._held_progress is None:
            self._next_progress, self._held_progress = {}, {}
        now = tick()
        if now < self._next_progress.get(call.order, 0):
            self._held_progress[call.order] = progress
            return
        self._next_progress[call.order] = ticks_after(_PROGRESS_INTERVAL, now)
        self._pop_held_progress(call)
        self._dispatcher.post(self._event(EventType.TASK_PROGRESS, progress.model_dump(), call))

    def _pop_held_progress(self, call: Call) -> Progress | None:
        return None if self._held_progress is None else self._held_progress.pop(call.order, None)

    @override
    def task_ended(self, call: Call, failure: Failure | None) -> None:
        if self._dispatcher.has_listeners:
            held = self._pop_held_progress(call)
            if held is not None:
                self._dispatcher.post(self._event(EventType.TASK_PROGRESS, held.model_dump(), call))
            data, level = self._task_stop(call.handle.run, call, failure), _stop_level(call.status)
            self._dispatcher.post(self._event(EventType.TASK_STOP, data, call, level=level, at=call.ended))

    @override
    def logged(self, line: LogLine, message: object, scope: Scope | None) -> None:
        if self._dispatcher.has_listeners:
            text = self._redactor.text
            payload = {"log_level": line.level, "message": text(str(message)), "message_text": text(str(line.message))}
            details = NO_DETAILS if line.details is None else line.details
            data = {
                "message_data": payload,
                "logger": line.logger,
                "fields": json_of_mapping(self._redactor, details.fields),
                "path": details.path,
                "line": details.line,
                "error": error_of(details),
            }
            self._dispatcher.post(
                self._event(EventType.FLOW_MESSAGE, data, scope, source=line.source, level=line.level, at=line.ticks)
            )

    @override
    def artifact_added(self, artifact: ArtifactFact, scope: Scope | None) -> None:
        if self._dispatcher.has_listeners:
            payload = {
                "description": self._redactor.mask(text_or_none(artifact.description)),
                "key": text_or_none(artifact.key),
                "data": json_of_named(self._redactor, artifact.key, artifact.data),
                "type": text_or_none(artifact.artifact_type),
            }
            self._dispatcher.post(
                self._event(EventType.NEW_ARTIFACT, {"artifact_data": payload}, scope, at=artifact.ticks)
            )

    @override
    def result_added(self, result: ResultFact, scope: Scope | None) -> None:
        if self._dispatcher.has_listeners:
            payload = {
                "key": text_or_none(result.key) or "",
                "description": self._redactor.mask(text_or_none(result.description) or ""),
                "value": json_of_named(self._redactor, result.key, result.value),
            }
            self._dispatcher.post(self._event(EventType.NEW_RESULT, {"result_data": payload}, scope, at=result.ticks))

    @override
    def run_ended(self, run: RunView, abandoned: Sequence[Call]) -> None:
        if self._dispatcher.has_listeners:
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
        unfinished = {call.order: call for call in abandoned}
        for order, call in open_calls.items():
            if order not in unfinished:
                unfinished[order] = call if call.ended else run.abandon(call)
        for order, call in sorted(unfinished.items()):
            if order not in open_calls:
                yield self._event(EventType.TASK_START, self._task_start(run, call), call, at=call.started)
            held = self._pop_held_progress(call)
            if held is not None:
                yield self._event(EventType.TASK_PROGRESS, held.model_dump(), call)
            data = self._task_stop(run, call, run.failures.get(order))
            yield self._event(EventType.TASK_STOP, data, call, level=_stop_level(call.status), at=call.ended)
        level = _stop_level(run.status)
        yield self._event(EventType.FLOW_STOP, self._flow_stop(run), None, level=level, at=run.ended)

    def _task_start(self, run: RunView | None, call: Call) -> dict[str, Any]:
        definition: TaskDefinition = call.definition
        return {
            "parent_task_id": call.handle.task_id(order_at(call.parent, call.handle)),
            "execution_order": call.order,
            "input_args": json_of_args(self._redactor, definition.positional_names, call.args),
            "input_kwargs": json_of_mapping(self._redactor, call.kwargs),
            "run_name": None if run is None else run.task_run_name(call),
            "executor": "inline" if run is None else run.placements.get(call.order, "inline"),
            "tags": list(definition.tags),
        }

    def _task_stop(self, run: RunView | None, call: Call, failure: Failure | None) -> dict[str, Any]:
        return {
            "status": call.status,
            "duration": seconds(call.started, call.ended),
            "attempt": call.attempt,
            "attempt_start_time": time_text(wall_time(attempt_start(call), call.handle.anchor)),
            "return_value": json_of(self._redactor, call.value),
            "error": None if failure is None else failure.info(),
            "yield_count": None if run is None else run.yield_count(call),
            "abandoned_thread": None if run is None else run.abandoned_thread(call.order),
        }

    def _flow_stop(self, run: RunView) -> dict[str, Any]:
        total, failed = run.task_counts()
        dropped = run.dropped()
        return {
            "status": run.status,
            "duration": run.duration,
            "return_value": json_of(self._redactor, run.recorded_value),
            "error": None if run.failure is None else run.failure.info(),
            "tasks": {"total": total, "failed": failed},
            "dropped": {"tasks": dropped.tasks, "logs": dropped.logs, "events": dropped.events},
        }


def _flow_start(run: RunView, redactor: Redactor) -> dict[str, Any]:
    return {
        "parent_flow_id": run.parent_flow_id,
        "parent_task_id": run.parent_task_id,
        "params": json_of_mapping(redactor, run.params),
        "run_params": json_of_mapping(redactor, run.run_params),
        "config": config_json(redactor.mask(run.config)),
        "tags": list(run.tags),
        "run_name": run.run_name,
        "description": run.description,
    }


def _stop_level(status: RunStatus) -> int:
    """The level of the end event of a task or flow."""
    return logging.ERROR if status in FAILED else logging.INFO
