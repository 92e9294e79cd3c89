"""One record of a job that was paused: that of each job_run, joined."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from ...model.events import FlowEvent
from ...model.records import Dropped, FlowRun
from ...model.status import RunStatus
from ...serialization.error_info import ErrorInfo

__all__ = ["cut_off", "joined"]

_OPEN: Final = frozenset({RunStatus.PENDING, RunStatus.RUNNING})


def cut_off(run: FlowRun[Any]) -> FlowRun[Any]:
    """The record of a job_run that is over; what was running when it was written has been abandoned."""
    if not any(task.status in _OPEN for task in run.tasks):
        return run
    ended = {"status": RunStatus.ABANDONED}
    tasks = [task.model_copy(update=ended) if task.status in _OPEN else task for task in run.tasks]
    return run.model_copy(update={"tasks": tasks})


def joined(
    job_id: str, graph_id: str, status: RunStatus, error: ErrorInfo | None, runs: list[FlowRun[Any]]
) -> FlowRun[Any]:
    """The record of a whole job; execution orders and the numbers of events go on from one job_run to the next."""
    if not runs:
        return FlowRun(flow_id=job_id, flow_name=graph_id, status=status, error=error)
    first, last = runs[0], runs[-1]
    if first is last:
        return first.model_copy(update={"status": status, "error": first.error or error})
    tasks = list(chain.from_iterable(run.tasks for run in runs))
    return first.model_copy(
        update={
            "status": status,
            "end_time": last.end_time,
            "duration": sum(run.duration for run in runs),
            "error": last.error or error,
            "tasks": [task.model_copy(update={"execution_order": order}) for order, task in enumerate(tasks, 1)],
            "logs": list(chain.from_iterable(run.logs for run in runs)),
            "events": list(_numbered_through(runs)),
            "artifacts": list(chain.from_iterable(run.artifacts for run in runs)),
            "results": list(chain.from_iterable(run.results for run in runs)),
            "dropped": Dropped(
                tasks=sum(run.dropped.tasks for run in runs),
                logs=sum(run.dropped.logs for run in runs),
                events=sum(run.dropped.events for run in runs),
            ),
        }
    )


def _numbered_through(runs: list[FlowRun[Any]]) -> Iterator[FlowEvent]:
    before = 0
    for run in runs:
        for event in run.events:
            yield event.model_copy(update={"sequence": before + event.sequence})
        before += run.events[-1].sequence if run.events else 0
