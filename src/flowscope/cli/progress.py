"""What is known of a run while it runs: tasks and nested flows, counted by name under whatever called them.

Memory grows with the number of names and of running tasks, not with the number of tasks; an event costs a few dictionary
operations. All of it is thread-safe: flows tell their events in whatever threads they run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from .._clock import seconds, tick
from ..model.events import EventData, EventType, FlowEvent
from ..model.records import ErrorInfo
from ..model.status import RunStatus
from .errors import one_line

__all__ = ["Found", "Group", "Kept", "Progress", "Row"]

MAX_GROUPS: Final = 200
MAX_DEPTH: Final = 12
MAX_KEPT: Final = 10
OTHERS: Final = "(others)"

_FAILED: Final = frozenset({RunStatus.FAILED, RunStatus.TIMED_OUT})


class Group:
    """The calls of one name under one parent."""

    __slots__ = ("children", "depth", "ended", "failed", "longest", "name", "parent", "running", "stopped", "total")

    def __init__(self, name: str, parent: Group | None) -> None:
        self.name = name
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.children: dict[str, Group] = {}
        self.running: dict[str, int] = {}
        """When those that are running started, by id, the oldest first."""
        self.ended = 0
        self.failed = 0
        self.stopped = 0
        """How many were cancelled or abandoned."""
        self.total = 0.0
        """Seconds, of those that have ended."""
        self.longest = 0.0

    @property
    def path(self) -> str:
        """The names from below the flow down to this one."""
        above = "" if self.parent is None or self.parent.parent is None else f"{self.parent.path} > "
        return above + self.name

    def end(self, run_id: str, status: object, duration: float) -> None:
        """Count one that has ended."""
        self.running.pop(run_id, None)
        self.ended += 1
        self.failed += status in _FAILED
        self.stopped += status in {RunStatus.CANCELLED, RunStatus.ABANDONED}
        self.total += duration
        self.longest = max(self.longest, duration)


class Row(NamedTuple):
    """A group as of one moment."""

    depth: int
    name: str
    running: int
    ended: int
    failed: int
    stopped: int
    total: float
    longest: float
    """Seconds, including the one that has been running longest."""


class Found(NamedTuple):
    """Something worth a line in the summary."""

    name: str
    description: str
    value: object = None


class Kept:
    """The first few of many things, and their number."""

    __slots__ = ("count", "first")

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Found] = []

    def add(self, found: Found) -> None:
        """Count one, and keep it if it is among the first."""
        self.count += 1
        if len(self.first) < MAX_KEPT:
            self.first.append(found)


class Progress:
    """What the events of a run, and of the flows inside it, add up to."""

    def __init__(self) -> None:
        self.root = Group("", None)
        self.failures = Kept()
        """Tasks that failed, nested flows' included."""
        self.artifacts = Kept()
        self.results = Kept()
        self.return_value: Found | None = None
        """As it is recorded; None if there is none."""
        self.error: ErrorInfo | None = None
        self._flow_id = ""
        self._groups = 1
        self._running: dict[str, Group] = {}
        self._lock = threading.RLock()  # the garbage collector may close a generator, which is an event, anywhere

    def adopt(self, event: FlowEvent) -> None:
        """Take the flow that starts for the one that this is about; whatever else runs is under it."""
        self._flow_id = event.event_data.flow_run_id
        self.root.name = event.event_data.flow_name

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
            return self._running.get(data.task_run_id or "", self.root)

    def rows(self) -> list[Row]:
        """All groups as of now, the tree from the top."""
        with self._lock:
            now = tick()
            return [_row(group, now) for group in _walk(self.root)]

    def _take_own(self, kind: EventType, data: EventData) -> None:
        payload = data.data
        if kind is EventType.FLOW_START:
            self._open(self.root, data.flow_run_id)
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
        return self._running.get(data.task_run_id or data.flow_run_id, self.root)

    def _start(self, name: str, run_id: str, data: EventData) -> Group:
        payload = data.data
        parent_id: str = payload.get("parent_task_id") or payload.get("parent_flow_id") or data.flow_run_id
        group = self._group(name, self._running.get(parent_id, self.root))
        self._open(group, run_id)
        return group

    def _open(self, group: Group, run_id: str) -> None:
        group.running[run_id] = tick()
        self._running[run_id] = group

    def _stop(self, run_id: str, payload: dict[str, Any]) -> Group:
        group = self._running.pop(run_id, self.root)
        group.end(run_id, payload["status"], payload["duration"])
        if group is not self.root and payload["status"] in _FAILED:
            error: ErrorInfo | None = payload["error"]
            self.failures.add(Found(group.path, "" if error is None else one_line(f"{error.type}: {error.message}")))
        return group

    def _group(self, name: str, parent: Group) -> Group:
        """The group of that name: a recursive call counts with the call it is inside of, and groups are bounded."""
        above = parent
        while above.parent is not None:
            if above.name == name:
                return above
            above = above.parent
        group = parent.children.get(name)
        if group is None:
            if parent.depth >= MAX_DEPTH:
                return parent
            if self._groups >= MAX_GROUPS:
                return self.root.children.setdefault(OTHERS, Group(OTHERS, self.root))
            self._groups += 1
            group = parent.children[name] = Group(name, parent)
        return group


def _walk(group: Group) -> Iterator[Group]:
    yield group
    for child in tuple(group.children.values()):
        yield from _walk(child)


def _row(group: Group, now: int) -> Row:
    oldest = next(iter(group.running.values()), None)
    longest = group.longest if oldest is None else max(group.longest, seconds(oldest, now))
    running = len(group.running)
    return Row(group.depth, group.name, running, group.ended, group.failed, group.stopped, group.total, longest)


def _bracketed(text: object) -> str:
    return f"({text})" if text else ""
