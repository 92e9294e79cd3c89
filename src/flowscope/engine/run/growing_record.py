"""The record of a run that is built again and again: what has ended is built once."""

from typing import Any

from ...model.records import FlowRun, LogEntry, TaskRun
from ..ports import LogLine
from .record_builder import flow_run_of, log_entries_of, task_runs_of
from .run import Run

__all__ = ["GrowingRecord"]


class GrowingRecord:
    """The record of one run, whose ended tasks and log entries are the same objects at each reading."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ended: dict[int, TaskRun] = {}
        """The records of ended tasks, by execution order."""
        self._lines: list[LogLine] = []
        self._entries: list[LogEntry] = []

    def flow_run(self) -> FlowRun[Any]:
        """The record, as of now; values that have changed since the end of their task are as they were then."""
        return flow_run_of(self._run, self._tasks(), self._logs())

    def _tasks(self) -> list[TaskRun]:
        ended = self._ended
        calls = self._run.calls.all()
        fresh = {
            task.execution_order: task for task in task_runs_of(self._run, [c for c in calls if c.order not in ended])
        }
        ended.update((order, task) for order, task in fresh.items() if task.end_time is not None)
        return [ended.get(call.order) or fresh[call.order] for call in calls]

    def _logs(self) -> list[LogEntry]:
        lines = self._run.log.lines.items()
        known = len(self._lines)
        if known and (len(lines) < known or lines[0] is not self._lines[0]):  # a ring has dropped lines
            self._entries, known = [], 0
        self._entries += log_entries_of(self._run, lines[known:])
        self._lines = lines
        return self._entries[:]
