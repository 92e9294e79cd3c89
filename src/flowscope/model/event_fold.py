"""The record of a run as the fold of its events: a pure function from events to the JSON document of a `FlowRun`."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from ..serialization.error_info import ErrorInfo
from .events import EventType, FlowEvent
from .status import FAILED, RunStatus

__all__ = ["folded"]

Document = dict[str, Any]


def folded(events: Iterable[FlowEvent]) -> Document:
    """The JSON document of the record that the events tell.

    Raises:
        ValueError: There are no events, the first one is no `flow_start`, one is missing between others, or they belong to
            several runs.
    """
    fold: _Fold | None = None
    for event in events:
        if fold is None:
            fold = _Fold(event)
        fold.add(event)
    if fold is None:
        raise ValueError("there are no events. Give all events of a run, from its flow_start on.")
    return fold.document()


class _Fold:
    """The record of one run, up to the latest event."""

    def __init__(self, first: FlowEvent) -> None:
        if first.event_type is not EventType.FLOW_START:
            raise ValueError(
                f"the first event is a {first.event_type}, wanted a flow_start. Listen before the run starts."
            )
        self._id = first.event_data.flow_run_id
        self._run: Document = {}
        self._config: Document = {}
        self._tasks: dict[str, Document] = {}
        """The tasks by their ids."""
        self._counts = {"tasks": 0, "logs": 0, "events": 0}
        """The numbers of ended tasks, log entries and events."""
        self._now = first.timestamp
        self._sequence = first.sequence - 1
        """The number of the latest event."""

    def add(self, event: FlowEvent) -> None:
        """Apply an event."""
        data = event.event_data
        if data.flow_run_id != self._id:
            raise ValueError(f"there are events of flows {self._id!r} and {data.flow_run_id!r}. Give those of one run.")
        if event.sequence != self._sequence + 1:
            raise ValueError(
                f"event {event.sequence} follows event {self._sequence}. Give all events of the run, in their order."
            )
        self._sequence = event.sequence
        self._now = max(self._now, event.timestamp)
        self._counts["events"] += 1
        apply = _APPLY.get(event.event_type)
        if apply is not None:
            apply(self, event, data.data)

    def document(self) -> Document:
        """The document of the record."""
        run = dict(self._run)
        if run["end_time"] is None:
            run["duration"] = _seconds(run["start_time"], self._now)
        run["tasks"] = sorted(map(self._task, self._tasks.values()), key=_order) if self._keeps_tasks else []
        run["dropped"] = self._dropped()
        return run

    @property
    def _keeps_tasks(self) -> bool:
        return bool(self._config.get("add_task_to_self", True))

    def _task(self, task: Document) -> Document:
        if task["end_time"] is not None:
            return task
        return {**task, "duration": _seconds(task["start_time"], self._now)}

    def _dropped(self) -> Document:
        config, counts = self._config, self._counts
        return {
            "tasks": 0 if self._keeps_tasks else counts["tasks"],
            "logs": _excess(counts["logs"], config.get("max_logs")) if config.get("log_to_memory", True) else 0,
            "events": _excess(counts["events"], config.get("max_events")) if config.get("capture_events") else 0,
        }

    def start_flow(self, event: FlowEvent, data: Document) -> None:
        """Begin the record."""
        self._config = data["config"]
        self._run = {
            "schema_version": 1,
            "flow_id": self._id,
            "flow_name": event.event_data.flow_name,
            "run_name": data["run_name"],
            "description": data["description"],
            "parent_flow_id": data["parent_flow_id"],
            "parent_task_id": data["parent_task_id"],
            "status": RunStatus.RUNNING,
            "start_time": event.timestamp,
            "end_time": None,
            "duration": 0.0,
            "config": data["config"],
            "params": data["params"],
            "run_params": data["run_params"],
            "return_value": None,
            "error": None,
            "tasks": [],
            "logs": [],
            "events": [],
            "artifacts": [],
            "results": [],
            "tags": data["tags"],
        }

    def stop_flow(self, event: FlowEvent, data: Document) -> None:
        """End the record."""
        self._run |= {
            "status": data["status"],
            "end_time": event.timestamp,
            "duration": data["duration"],
            "return_value": data["return_value"],
            "error": _error(data["error"]),
        }

    def start_task(self, event: FlowEvent, data: Document) -> None:
        """Add a task."""
        task_id = event.event_data.task_run_id
        self._tasks[task_id or ""] = {
            "task_id": task_id,
            "task_name": event.event_data.task_name,
            "run_name": data["run_name"],
            "parent_task_id": data["parent_task_id"],
            "execution_order": data["execution_order"],
            "status": RunStatus.RUNNING,
            "start_time": event.timestamp,
            "end_time": None,
            "duration": 0.0,
            "attempts": 1,
            "input_args": data["input_args"],
            "input_kwargs": data["input_kwargs"],
            "return_value": None,
            "error": None,
            "executor": data["executor"],
            "abandoned_thread": None,
            "tags": data["tags"],
            "failed_attempts": [],
            "yield_count": None,
            "progress": None,
        }

    def retry_task(self, event: FlowEvent, data: Document) -> None:
        """Add a failed attempt of a task, which another one follows."""
        task = self._task_of(event)
        task["attempts"] = data["attempt"] + 1
        task["failed_attempts"].append(
            _failed_attempt(data["attempt"], data["start_time"], data["end_time"], data["error"])
        )

    def report_progress(self, event: FlowEvent, data: Document) -> None:
        """Set the progress of a task."""
        self._task_of(event)["progress"] = dict(data)

    def stop_task(self, event: FlowEvent, data: Document) -> None:
        """End a task."""
        self._counts["tasks"] += 1
        task = self._task_of(event)
        if data["status"] in FAILED and data["error"] is not None:
            task["failed_attempts"].append(
                _failed_attempt(data["attempt"], data["attempt_start_time"], event.timestamp, data["error"])
            )
        task.update(
            task_name=event.event_data.task_name,
            status=data["status"],
            end_time=event.timestamp,
            duration=data["duration"],
            attempts=data["attempt"],
            return_value=data["return_value"],
            error=_error(data["error"]),
            yield_count=data["yield_count"],
            abandoned_thread=data["abandoned_thread"],
        )
        if not self._keeps_tasks:
            del self._tasks[event.event_data.task_run_id or ""]

    def _task_of(self, event: FlowEvent) -> Document:
        return self._tasks[event.event_data.task_run_id or ""]

    def add_message(self, event: FlowEvent, data: Document) -> None:
        """Add a log entry."""
        self._counts["logs"] += 1
        if not self._config.get("log_to_memory", True):
            return
        level: int = data["message_data"]["log_level"]
        logs: list[Document] = self._run["logs"]
        logs.append(
            {
                "timestamp": event.timestamp,
                "level": logging.getLevelName(level),
                "level_number": level,
                "message": data["message_data"]["message_text"],
                "logger": data["logger"],
                "source": event.event_data.event_source,
                "task_id": event.event_data.task_run_id,
                "fields": data["fields"],
                "path": data["path"],
                "line": data["line"],
                "error": _error(data["error"]),
            }
        )
        del logs[: _excess(len(logs), self._config.get("max_logs"))]

    def add_artifact(self, event: FlowEvent, data: Document) -> None:
        """Add an artifact."""
        artifact = data["artifact_data"]
        self._run["artifacts"].append(
            {
                "key": artifact["key"],
                "description": artifact["description"],
                "artifact_type": artifact["type"],
                "data": artifact["data"],
                "timestamp": event.timestamp,
                "task_id": event.event_data.task_run_id,
            }
        )

    def add_result(self, event: FlowEvent, data: Document) -> None:
        """Add a result."""
        result = data["result_data"]
        self._run["results"].append(
            {
                "key": result["key"],
                "description": result["description"],
                "value": result["value"],
                "timestamp": event.timestamp,
                "task_id": event.event_data.task_run_id,
            }
        )


_APPLY: Final[dict[EventType, Callable[[_Fold, FlowEvent, Document], None]]] = {
    EventType.FLOW_START: _Fold.start_flow,
    EventType.FLOW_STOP: _Fold.stop_flow,
    EventType.TASK_START: _Fold.start_task,
    EventType.TASK_RETRY: _Fold.retry_task,
    EventType.TASK_PROGRESS: _Fold.report_progress,
    EventType.TASK_STOP: _Fold.stop_task,
    EventType.FLOW_MESSAGE: _Fold.add_message,
    EventType.NEW_ARTIFACT: _Fold.add_artifact,
    EventType.NEW_RESULT: _Fold.add_result,
}
"""What each kind of event does; other kinds change nothing in the record."""


def _order(task: Document) -> int:
    order: int = task["execution_order"]
    return order


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()


def _excess(count: int, limit: int | None) -> int:
    """How many of the oldest items a ring of that size drops."""
    return 0 if limit is None else max(0, count - limit)


def _failed_attempt(attempt: int, start: object, end: object, error: ErrorInfo | Document) -> Document:
    return {"attempt": attempt, "start_time": start, "end_time": end, "error": _error(error)}


def _error(error: ErrorInfo | Document | None) -> Document | None:
    return error.model_dump(mode="json") if isinstance(error, ErrorInfo) else error
