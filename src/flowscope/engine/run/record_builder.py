"""From a run, live or ended, to its records: the only place where records are built."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..._clock import seconds, tick, wall_time
from ...model.config import FlowConfig
from ...model.durations import Durations, TaskDuration, TaskDurations
from ...model.records import Artifact, Dropped, FlowRun, LogEntry, Result, TaskRun
from ...model.status import RunStatus
from ...serialization.exception_snapshot import Failure
from ...serialization.fast_construct import construct_trusted
from ...serialization.json_values import clean_text, safe_repr
from ...serialization.redaction import redactor_for
from ..definitions.task_definition import TaskDefinition
from ..ports import ArtifactFact, LogLine, ResultFact
from ..scope.call import Call, order_at
from .run import Run

__all__ = [
    "artifact_of",
    "durations_of",
    "flow_run_of",
    "log_entries_of",
    "pending_flow_run",
    "result_of",
    "task_durations_of",
]


def flow_run_of(run: Run) -> FlowRun[Any]:
    """The whole record, as of now."""
    handle, config, mask = run.handle, run.config, run.redactor.mask
    calls = run.calls.all()
    lines, events = run.log.lines, run.dispatcher.kept
    return FlowRun.model_construct(
        schema_version=1,
        flow_id=handle.flow_id,
        flow_name=handle.flow_name,
        parent_flow_id=run.parent_flow_id,
        status=run.present_status,
        start_time=wall_time(run.started, handle.anchor),
        end_time=wall_time(run.ended, handle.anchor) if run.ended else None,
        duration=run.duration,
        config=mask(config),
        params=mask(dict(run.params)),
        run_params=mask(dict(run.run_params)),
        return_value=mask(run.value) if config.record_return_values else None,
        error=None if run.failure is None else run.failure.info(),
        tasks=_TaskRecordBuilder(run).records(calls),
        logs=log_entries_of(run),
        events=events.items() if events is not None else [],
        artifacts=[artifact_of(run, fact) for fact in run.log.artifacts.items()],
        results=[result_of(run, fact) for fact in run.log.results.items()],
        tags=run.tags,
        dropped=Dropped(
            tasks=0 if run.calls.kept else run.calls.timings().count,
            logs=lines.dropped,
            events=events.dropped if events is not None else 0,
        ),
    )


def pending_flow_run(
    flow_id: str, flow_name: str, config: FlowConfig, params: Mapping[str, Any], tags: tuple[str, ...]
) -> FlowRun[Any]:
    """The record of a flow that has not been executed."""
    return FlowRun.model_construct(
        flow_id=flow_id,
        flow_name=flow_name,
        status=RunStatus.PENDING,
        config=redactor_for(config.redact).mask(config),
        params=redactor_for(config.redact).mask(dict(params)) if config.record_inputs else {},
        tags=tags,
    )


class _TaskRecordBuilder:
    """Turns calls into records; what is the same for all calls of a task is fact out once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._handle = run.handle
        self._now = tick()
        self._masks_args: dict[int, bool] = {}
        self._fields = set(TaskRun.model_fields)

    def records(self, calls: list[Call]) -> list[TaskRun]:
        return [self._record(call) for call in calls]

    def _record(self, call: Call) -> TaskRun:
        handle, definition = self._handle, call.definition
        mask = self._run.redactor.mask
        ended, kwargs = call.ended, call.kwargs
        failure: Failure | None = self._run.failures.get(call.order)
        return construct_trusted(
            TaskRun,
            self._fields,
            task_id=handle.task_id(call.order),
            task_name=definition.name,
            parent_task_id=handle.task_id(order_at(call.parent, handle)),
            execution_order=call.order,
            status=call.status,
            start_time=wall_time(call.started, handle.anchor),
            end_time=wall_time(ended, handle.anchor) if ended else None,
            duration=_duration(call, self._now),
            attempts=call.attempt,
            input_args=self._inputs(definition, call.args),
            input_kwargs=mask(kwargs) if kwargs else {},
            return_value=mask(call.value),
            error=None if failure is None else failure.info(),
            executor=self._run.placements.get(call.order, "inline"),
            abandoned_thread=self._abandoned_thread(call.order),
            tags=definition.tags,
        )

    def _inputs(self, definition: TaskDefinition, args: tuple[Any, ...]) -> list[Any]:
        redactor = self._run.redactor
        names = definition.positional_names
        key = id(names)
        if key not in self._masks_args:
            self._masks_args[key] = any(map(redactor.hides, names))
        return redactor.mask_positional(names, args) if self._masks_args[key] else [redactor.mask(arg) for arg in args]

    def _abandoned_thread(self, order: int) -> str | None:
        thread = self._run.abandoned_threads.get(order)
        return thread.name if thread is not None and thread.is_alive() else None


def _duration(call: Call, now: int) -> float:
    """Seconds from the start to the end, or until now; none for what has not started."""
    return 0.0 if call.status is RunStatus.PENDING else seconds(call.started, call.ended or now)


def log_entries_of(run: Run) -> list[LogEntry]:
    """The log."""
    fields = set(LogEntry.model_fields)
    return [_log_entry(run, line, fields) for line in run.log.lines.items()]


def _log_entry(run: Run, line: LogLine, fields: set[str]) -> LogEntry:
    return construct_trusted(
        LogEntry,
        fields,
        timestamp=wall_time(line.ticks, run.handle.anchor),
        level=logging.getLevelName(line.level),
        level_number=line.level,
        message=str(line.message),
        logger=line.logger,
        source=line.source,
        task_id=run.handle.task_id(line.order),
    )


def artifact_of(run: Run, fact: ArtifactFact) -> Artifact:
    """The record of an artifact."""
    return Artifact(
        key=_text(fact.key),
        description=_text(fact.description),
        artifact_type=_text(fact.artifact_type),
        data=run.redactor.mask_named(fact.key, fact.data),
        timestamp=wall_time(fact.ticks, run.handle.anchor),
        task_id=run.handle.task_id(fact.order),
    )


def result_of(run: Run, fact: ResultFact) -> Result:
    """The record of a result."""
    return Result(
        key=_text(fact.key) or "",
        description=_text(fact.description) or "",
        value=run.redactor.mask_named(fact.key, fact.value),
        timestamp=wall_time(fact.ticks, run.handle.anchor),
        task_id=run.handle.task_id(fact.order),
    )


def _text(text: object) -> str | None:
    """Text, or (for those who do not check types) something else as text."""
    return None if text is None else clean_text(text) if isinstance(text, str) else safe_repr(text)


def durations_of(run: Run) -> Durations:
    """How long it took, by task name."""
    timings = run.calls.timings().by_name()
    return Durations(
        flow_name=run.handle.flow_name,
        flow_status=run.present_status,
        flow_duration=run.duration,
        flow_tasks={name: timing.total for name, timing in timings.items()},
        calls=timings,
    )


def task_durations_of(run: Run) -> TaskDurations:
    """How long it took, by call."""
    now = tick()
    return TaskDurations(
        flow_name=run.handle.flow_name,
        flow_status=run.present_status,
        flow_duration=run.duration,
        flow_tasks={
            call.order: TaskDuration(
                task_name=call.definition.name,
                task_duration=_duration(call, now),
                task_status=call.status,
            )
            for call in run.calls.all()
        },
    )
