"""What is known of a run while it runs, from its events.

Memory grows with the number of names and of running tasks, not of tasks; an event costs a few dictionary operations.
All of it is thread-safe: flows tell their events in whatever threads they run.
"""

import threading
from typing import Any, Final, NamedTuple

from ..._clock import tick
from ...model.events import EventData, EventType, FlowEvent
from ...model.status import FAILED
from ...serialization.error_info import ErrorInfo
from ..errors import one_line
from .call_tree import Group, Groups, Row
from .text import error_line

__all__ = ["Found", "Kept", "Progress"]

MAX_KEPT: Final = 10


class Found(NamedTuple):
    """Something worth a line in the summary."""

    name: str
    description: str
    value: object = None
    run_id: str = ""
    """The id of the task or flow that failed."""


class Kept:
    """The first few of many things, and their number."""

    __slots__ = ("count", "first")

    def __init__(self) -> None:
        self.count: int = 0
        self.first: list[Found] = []

    @property
    def is_full(self) -> bool:
        """Whether a further one is counted only."""
        return len(self.first) >= MAX_KEPT

    def add(self, found: Found) -> None:
        """Count one, and keep it if it is among the first."""
        self.count += 1
        if not self.is_full:
            self.first.append(found)


class Progress:
    """What the events of a run, and of the flows inside it, add up to."""

    def __init__(self) -> None:
        self.failures: Kept = Kept()
        """Tasks that failed, also those of nested flows, and nested flows."""
        self.artifacts: Kept = Kept()
        self.results: Kept = Kept()
        self.return_value: Found | None = None
        """As it is recorded; None if there is none."""
        self.error: ErrorInfo | None = None
        self._flow_id = ""
        self._inputs: dict[str, str] = {}
        """The inputs of failed tasks and flows, by their ids."""
        self._groups = Groups()
        self._running: dict[str, Group] = {}
        self._lock = threading.RLock()  # the garbage collector may close a generator, which is an event, anywhere

    def adopt(self, event: FlowEvent) -> None:
        """Take the flow that starts for the one that this is about; whatever else runs is under it."""
        self._flow_id = event.event_data.flow_run_id
        self._groups.root.name = event.event_data.flow_name

    def take(self, event: FlowEvent) -> Group:
        """Take in an event; return the group that it belongs to."""
        data, kind = event.event_data, event.event_type
        with self._lock:
            if kind is EventType.TASK_START:
                return self._start(data.task_name or "", data.task_run_id or "", data)
            if kind is EventType.TASK_STOP:
                return self._stop(data.task_run_id or "", data.data)
            if data.flow_run_id != self._flow_id:
                return self._take_nested(kind, data)
            self._take_own(kind, data)
            return self._running.get(data.task_run_id or "", self._groups.root)

    def misses(self, run_id: str) -> bool:
        """Whether the inputs of a task or flow that has failed are wanted: it is, or may become, one that is kept."""
        with self._lock:
            return not self.failures.is_full or any(found.run_id == run_id for found in self.failures.first)

    def add_inputs(self, run_id: str, text: str) -> None:
        """Keep the inputs of a task or flow that has failed; its own event may come later."""
        with self._lock:
            self._inputs[run_id] = text

    def inputs_of(self, found: Found) -> str:
        """The inputs of a failure as a call has them; empty if they are not recorded."""
        return self._inputs.get(found.run_id, "")

    def rows(self) -> list[Row]:
        """The tree as of now, from the top."""
        with self._lock:
            return self._groups.rows(tick())

    def _take_own(self, kind: EventType, data: EventData) -> None:
        payload = data.data
        if kind is EventType.FLOW_START:
            self._open(self._groups.root, data.flow_run_id)
        elif kind is EventType.FLOW_STOP:
            self.error = payload["error"]
            self._stop(data.flow_run_id, payload)
        elif kind is EventType.NEW_ARTIFACT:
            found = payload["artifact_data"]
            about = " ".join(str(part) for part in (found["description"], _bracketed(found["type"])) if part)
            self.artifacts.add(Found(str(found["key"] or "-"), one_line(about)))
        elif kind is EventType.NEW_RESULT:
            self._take_result(payload["result_data"])

    def _take_result(self, found: dict[str, Any]) -> None:
        result = Found(str(found["key"]), one_line(str(found["description"])), found["value"])
        if result.name == "flow-return-value":
            self.return_value = result
        else:
            self.results.add(result)

    def _take_nested(self, kind: EventType, data: EventData) -> Group:
        if kind is EventType.FLOW_START:
            return self._start(f"flow {data.flow_name}", data.flow_run_id, data)
        if kind is EventType.FLOW_STOP:
            return self._stop(data.flow_run_id, data.data)
        return self._running.get(data.task_run_id or data.flow_run_id, self._groups.root)

    def _start(self, name: str, run_id: str, data: EventData) -> Group:
        payload = data.data
        parent_id: str = payload.get("parent_task_id") or payload.get("parent_flow_id") or data.flow_run_id
        group = self._groups.find(name, self._running.get(parent_id, self._groups.root))
        self._open(group, run_id)
        return group

    def _open(self, group: Group, run_id: str) -> None:
        group.running[run_id] = tick()
        self._running[run_id] = group

    def _stop(self, run_id: str, payload: dict[str, Any]) -> Group:
        group = self._running.pop(run_id, None)
        if group is None:  # it started before anybody listened
            return self._groups.root
        group.end(run_id, payload["status"], payload["duration"])
        if group is not self._groups.root and payload["status"] in FAILED:
            error: ErrorInfo | None = payload["error"]
            description = "" if error is None else error_line(error)
            self.failures.add(Found(group.path, description, run_id=run_id))
        return group


def _bracketed(text: object) -> str:
    return f"({text})" if text else ""
