"""Builds the records of a run, live or ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel

from ..._clock import seconds, tick, wall_time
from ...model.config import FlowConfig
from ...model.durations import Durations, TaskDuration, TaskDurations
from ...model.records import Artifact, AttemptFailure, FlowRun, LogEntry, Result, TaskRun
from ...model.status import FAILED, RunStatus
from ...serialization.exception_snapshot import Failure
from ...serialization.json.fast_construct import assembled_from
from ...serialization.json.json_leaves import text_or_none
from ...serialization.json.masked_fields import MaskedFields
from ...serialization.secrets.redaction import Redactor, run_redactor
from ..definitions.task_definition import TaskDefinition
from ..ports import NO_DETAILS, ArtifactFact, LogLine, ResultFact
from ..scope.call import Call, attempt_start, order_at
from .log import error_of
from .run import Run
from .secret_free_records import without_known_secrets

__all__ = [
    "artifact_of",
    "durations_of",
    "failed_attempts_of",
    "flow_run_of",
    "log_entries_of",
    "note_secrets",
    "pending_flow_run",
    "record_masked_by_name",
    "result_of",
    "task_durations_of",
    "task_runs_of",
]


def flow_run_of(run: Run, tasks: list[TaskRun] | None = None, logs: list[LogEntry] | None = None) -> FlowRun[Any]:
    """The whole record, as of now; `tasks` and `logs` replace those of the run."""
    return without_known_secrets(record_masked_by_name(run, tasks, logs), run.redactor)


def note_secrets(run: Run) -> None:
    """Make all secrets known that the record has under their names; tasks that have ended are looked at once."""
    record_masked_by_name(run, tasks=[], logs=[])
    fresh = run.calls.all()[run.noted_calls :]
    for record in task_runs_of(run, fresh):
        if record.end_time is None:
            break
        run.noted_calls += 1


def record_masked_by_name(
    run: Run, tasks: list[TaskRun] | None = None, logs: list[LogEntry] | None = None
) -> FlowRun[Any]:
    """The record in which secrets are masked by name alone; all that it has are known then."""
    handle, config, mask = run.handle, run.config, run.redactor.mask
    events = run.dispatcher.recorded
    record: FlowRun[Any] = FlowRun.model_construct(
        schema_version=1,
        flow_id=handle.flow_id,
        flow_name=handle.flow_name,
        run_name=run.run_name,
        description=run.description,
        parent_flow_id=run.parent_flow_id,
        parent_task_id=run.parent_task_id,
        status=run.present_status,
        start_time=wall_time(run.started, handle.anchor),
        end_time=wall_time(run.ended, handle.anchor) if run.ended else None,
        duration=run.duration,
        config=mask(config),
        params=mask(dict(run.params)),
        run_params=mask(dict(run.run_params)),
        return_value=mask(run.recorded_value) if run.ended else None,
        error=None if run.failure is None or not run.ended else run.failure.info(),
        tasks=task_runs_of(run, run.calls.all()) if tasks is None else tasks,
        logs=log_entries_of(run) if logs is None else logs,
        events=events.items() if events is not None else [],
        artifacts=[artifact_of(run, fact) for fact in run.log.artifacts.items()],
        results=[result_of(run, fact) for fact in run.log.results.items()],
        tags=run.tags,
        dropped=run.dropped(),
    )
    _mask_when_written(record, run.redactor, record.params, record.run_params, record.return_value)
    return record


def _mask_when_written(record: BaseModel, redactor: Redactor, *values: object) -> None:
    """Mask also the JSON of values whose classes define their serialization."""
    if any(map(redactor.declares, values)):
        fields = MaskedFields(type(record).model_fields, redactor.mask_written)
        object.__setattr__(record, "__pydantic_fields_set__", fields)


def pending_flow_run(
    flow_id: str, flow_name: str, config: FlowConfig, params: Mapping[str, Any], tags: tuple[str, ...]
) -> FlowRun[Any]:
    """The record of a flow that has not been executed."""
    redactor = run_redactor(config.redact)
    record: FlowRun[Any] = FlowRun.model_construct(
        flow_id=flow_id,
        flow_name=flow_name,
        status=RunStatus.PENDING,
        config=redactor.mask(config),
        params=redactor.mask(dict(params)) if config.record_inputs else {},
        tags=tags,
    )
    _mask_when_written(record, redactor, record.params)
    return without_known_secrets(record, redactor)


def task_runs_of(run: Run, calls: list[Call]) -> list[TaskRun]:
    """The records of calls of a run, as of now."""
    return _TaskRecordBuilder(run).records(calls)


_TASK_FIELDS: Final = frozenset(TaskRun.model_fields)
_LEAVES: Final = frozenset(map(id, (int, str, bool, float, bytes, type(None))))
"""The types without parts to mask."""
_TYPE: Any = type


class _TaskRecordBuilder:
    """Turns calls into records; facts of a task are looked up once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._now = tick()
        self._masks_args: dict[int, bool] = {}

    def records(self, calls: list[Call]) -> list[TaskRun]:
        """The records, in one loop: rare facts are looked up only where a run has them."""
        run, now, mask = self._run, self._now, self._run.redactor.mask
        handle, anchor, failures, placements = run.handle, run.handle.anchor, run.failures, run.placements
        fields, task_id, threads, root = set(_TASK_FIELDS), handle.task_id, run.abandoned_threads, run.root
        reports = run.present_reports
        retried, counts, progress = reports.failed_attempts, reports.yield_counts, reports.progress
        names = reports.run_names
        records: list[TaskRun] = []
        moment, utc, pending = datetime.fromtimestamp, UTC, RunStatus.PENDING
        latest, hides = None, False
        for call in calls:
            order, ended, parent, extras, status = call.order, call.ended, call.parent, call.extras, call.status
            definition, inputs, value, started = call.definition, call.inputs, call.value, call.started
            if definition is not latest:
                latest, hides = definition, self._hides_inputs(definition)
            args: list[Any]
            kwargs: Mapping[str, Any]
            if type(inputs) is tuple and not hides:
                args, kwargs = [*inputs], {}
                is_plain = True
                for arg in args:
                    if id(_TYPE(arg)) not in _LEAVES or (_TYPE(arg) is str and "://" in arg):
                        args, is_plain = [*map(mask, args)], False
                        break
            else:
                args, kwargs, is_plain = *self._masked_inputs(call, definition), False
            if id(_TYPE(value)) not in _LEAVES or (_TYPE(value) is str and "://" in value):
                is_plain, value = False, mask(value)
            failure = failures.get(order) if failures else None
            record = assembled_from(
                TaskRun,
                fields,
                {
                    "task_id": task_id(order),
                    "task_name": definition.name,
                    "run_name": names.get(order) if names else None,
                    "parent_task_id": None if parent is root else task_id(order_at(parent, handle)),
                    "execution_order": order,
                    "status": status,
                    "start_time": moment((started + anchor) / 1e9, utc),
                    "end_time": moment((ended + anchor) / 1e9, utc) if ended else None,
                    "duration": 0.0 if status is pending else ((ended or now) - started) / 1e9,
                    "attempts": 1 if extras is None else extras.attempt,
                    "input_args": args,
                    "input_kwargs": kwargs,
                    "return_value": value,
                    "error": None if failure is None else failure.info(),
                    "executor": placements.get(order, "inline") if placements else "inline",
                    "abandoned_thread": run.abandoned_thread(order) if threads else None,
                    "tags": definition.tags,
                    "failed_attempts": []
                    if failure is None and order not in retried
                    else failed_attempts_of(run, call),
                    "yield_count": counts.get(order) if counts and ended else None,
                    "progress": progress.get(order) if progress else None,
                },
            )
            if not is_plain:
                _mask_when_written(record, run.redactor, *args, kwargs, value)
            records.append(record)
        return records

    def _hides_inputs(self, definition: TaskDefinition) -> bool:
        """Whether some parameter has the name of a secret."""
        names = definition.positional_names
        if id(names) not in self._masks_args:
            self._masks_args[id(names)] = any(map(self._run.redactor.hides, names))
        return self._masks_args[id(names)]

    def _masked_inputs(self, call: Call, definition: TaskDefinition) -> tuple[list[Any], Mapping[str, Any]]:
        redactor, kwargs = self._run.redactor, call.kwargs
        return redactor.mask_positional(definition.positional_names, call.args), redactor.mask(kwargs) if kwargs else {}


def failed_attempts_of(run: Run, call: Call) -> list[AttemptFailure]:
    """The failed attempts of a call, in their order."""
    anchor = run.handle.anchor

    def failed(attempt: int, started: int, ended: int, failure: Failure) -> AttemptFailure:
        return AttemptFailure(
            attempt=attempt,
            start_time=wall_time(started, anchor),
            end_time=wall_time(ended, anchor),
            error=failure.info(),
        )

    found = [
        failed(each.attempt, each.started, each.ended, each.failure)
        for each in run.present_reports.failed_attempts.get(call.order, ())
    ]
    last = run.failures.get(call.order) if call.status in FAILED else None
    if last is not None:
        found.append(failed(call.attempt, attempt_start(call), call.ended, last))
    return found


def _duration(call: Call, now: int) -> float:
    """Seconds from the start to the end, or until now; 0.0 before the start."""
    return 0.0 if call.status is RunStatus.PENDING else seconds(call.started, call.ended or now)


def log_entries_of(run: Run, lines: list[LogLine] | None = None) -> list[LogEntry]:
    """The log, or the entries of some of its lines, with the known secrets in them."""
    fields, mask = set(LogEntry.model_fields), run.redactor.mask
    return [_log_entry(run, line, fields, mask) for line in (run.log.lines.items() if lines is None else lines)]


def _log_entry(run: Run, line: LogLine, fields: set[str], mask: Callable[[Any], Any]) -> LogEntry:
    details = NO_DETAILS if line.details is None else line.details
    values = mask(dict(details.fields))
    entry = assembled_from(
        LogEntry,
        fields,
        {
            "timestamp": wall_time(line.ticks, run.handle.anchor),
            "level": logging.getLevelName(line.level),
            "level_number": line.level,
            "message": mask(str(line.message)),
            "logger": line.logger,
            "source": line.source,
            "task_id": run.handle.task_id(line.order),
            "fields": values,
            "path": details.path,
            "line": details.line,
            "error": error_of(details),
        },
    )
    if values:
        _mask_when_written(entry, run.redactor, values)
    return entry


def artifact_of(run: Run, fact: ArtifactFact) -> Artifact:
    """The record of an artifact."""
    record = Artifact(
        key=text_or_none(fact.key),
        description=run.redactor.mask(text_or_none(fact.description)),
        artifact_type=text_or_none(fact.artifact_type),
        data=run.redactor.mask_named(fact.key, fact.data),
        timestamp=wall_time(fact.ticks, run.handle.anchor),
        task_id=run.handle.task_id(fact.order),
    )
    _mask_when_written(record, run.redactor, record.data)
    return without_known_secrets(record, run.redactor)


def result_of(run: Run, fact: ResultFact) -> Result:
    """The record of a result."""
    record = Result(
        key=text_or_none(fact.key) or "",
        description=run.redactor.mask(text_or_none(fact.description) or ""),
        value=run.redactor.mask_named(fact.key, fact.value),
        timestamp=wall_time(fact.ticks, run.handle.anchor),
        task_id=run.handle.task_id(fact.order),
    )
    _mask_when_written(record, run.redactor, record.value)
    return without_known_secrets(record, run.redactor)


def durations_of(run: Run) -> Durations:
    """The durations by task name."""
    timings = run.calls.timings().by_name()
    return Durations(
        flow_name=run.handle.flow_name,
        flow_status=run.present_status,
        flow_duration=run.duration,
        flow_tasks={name: timing.total for name, timing in timings.items()},
        calls=timings,
    )


def task_durations_of(run: Run) -> TaskDurations:
    """The durations by call."""
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
