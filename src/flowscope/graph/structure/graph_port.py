"""What a graph is to its jobs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, SupportsFloat

from ...engine.definitions.options import is_number, whole_number
from ...errors import GraphError
from ...model.config import FlowConfig
from ...serialization.json.json_leaves import safe_repr
from ..errors import JobStateError
from ..job.options import FINAL, ErrorHandler
from ..job.state import JobState
from ..routines.routine import Routine
from ..slots.bound_slot import BoundSlot, Route

__all__ = [
    "FINAL",
    "Checkpoints",
    "GraphPort",
    "check_may_run",
    "check_own",
    "checked_count",
    "checked_timeout",
    "checkpoints",
]


class GraphPort(Protocol):
    """The graph, as its jobs see it."""

    flow_id: str
    flow_config: FlowConfig
    error_handler: ErrorHandler | None
    max_history: int | None

    def sources(self) -> Mapping[str, frozenset[str]]:
        """For each routine, those that it receives messages from."""
        ...

    def routine(self, routine_id: str) -> Routine:
        """The routine of an id."""
        ...

    def bound_slot(self, routine_id: str, slot: str) -> BoundSlot:
        """The slot of a routine, with all that its messages meet there."""
        ...

    def check_work(self, job: JobState) -> None:
        """Refuse a job that has work for what the graph lacks."""
        ...

    def routes_from(self, routine_id: str) -> Mapping[str, Sequence[Route]]:
        """The ways from its events, by name, in the order in which they were made."""
        ...


class Checkpoints(NamedTuple):
    """Where a job is saved while it runs, and after how many activations each time."""

    path: Path
    every: int | None
    """None: as often as it takes no more than a tenth of the time."""


def checkpoints(save_to: str | Path | None, save_every: int | None) -> Checkpoints | None:
    """What was asked for; None for nothing.

    Raises:
        GraphError: The number makes no sense.
    """
    every = None if save_every is None else checked_count(save_every, "save_every")
    return None if save_to is None else Checkpoints(Path(save_to), every)


def checked_count(count: object, what: str, *, least: int = 1) -> int:
    """An option that counts: any object with `__index__` but True and False.

    Raises:
        GraphError: It is no whole number, or too low.
    """
    number = whole_number(count)
    if number is None or number < least:
        raise GraphError(f"{what} is {safe_repr(count)}, wanted a whole number of at least {least}.")
    return number


def checked_timeout(timeout: object) -> float | None:
    """The seconds that a job may take.

    Raises:
        GraphError: They make no sense.
    """
    if timeout is None:
        return None
    if not isinstance(timeout, SupportsFloat) or not is_number(timeout) or not float(timeout) >= 0:
        raise GraphError(f"timeout is {safe_repr(timeout)}, wanted seconds, or None for no limit.")
    return float(timeout)


def check_own(job: JobState, graph_id: str) -> None:
    """Refuse the job of another graph.

    Raises:
        GraphError: It is one.
    """
    if job.flow_id != graph_id:
        raise GraphError(
            f"job {job.job_id!r} belongs to graph {job.flow_id!r}, not to {graph_id!r}. Give the graph that flow_id."
        )


def check_may_run(job: JobState, *, runs: bool, is_open: bool) -> None:
    """Refuse to run a job that `runs` already or has ended, or on a graph that is not open any more.

    Raises:
        JobStateError: The job runs or has ended.
        GraphError: The graph has been shut down.
    """
    if runs or job.status in FINAL:
        reason = (
            f"job {job.job_id!r} is {job.status}; only a paused job can be resumed. Begin a new one with execute()."
        )
        raise JobStateError(reason, job.job_id, job.status)
    if not is_open:
        raise GraphError(f"graph {job.flow_id!r} has been shut down. Make a new one.")
