"""Activations as a job keeps them, and jobs as a file keeps them while they run."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from ..._clock import tick
from ...serialization.exception_snapshot import Failure
from ...serialization.transport.exception_transport import remote_error
from ..job.activation import Activation, Carrier, Extras
from ..job.job_journal import JobJournal
from ..job.job_log import JobLog
from ..job.state import JobState, PendingActivation
from ..slots.bound_slot import BoundSlot
from ..structure.graph_port import Checkpoints
from .job_flow import JobFlow

__all__ = ["Checkpointer", "activation_of", "pending_of", "unchanged_by_failure"]

_BEGUN: Final = ("status", "updated_at", "pending_activations", "deferred_events", "finished_runs", "_live")
"""What of a job changes when it begins, but for what is noted."""


@contextmanager
def unchanged_by_failure(job: JobState, job_log: JobLog) -> Generator[None]:
    """A block in which a job begins to run; if it fails, the job is as it was."""
    mark = job_log.mark()
    before = {name: getattr(job, name) for name in _BEGUN}
    try:
        yield
    except BaseException:
        job_log.back_to(mark)
        for name, value in before.items():
            setattr(job, name, value)
        raise


def pending_of(activation: Activation) -> PendingActivation:
    """An activation as its job keeps it."""
    problem = activation.problem
    return PendingActivation.model_construct(
        routine_id=activation.target.routine_id,
        slot=activation.target.name,
        data=activation.data,
        attempt=activation.attempt,
        problem=None if problem is None else Failure(problem).info(),
    )


def activation_of(kept: PendingActivation, carrier: Carrier, target: BoundSlot) -> Activation:
    """An activation again."""
    activation = Activation(carrier, target, kept.data)
    if kept.attempt > 1 or kept.problem is not None:
        activation.extras = Extras(kept.attempt, None if kept.problem is None else remote_error(kept.problem))
    return activation


_SHARE: Final = 10
"""Of the time, this part at most is spent on saving, if nobody says how often to save."""


class Checkpointer:
    """Saves a job while it runs, if that was asked for."""

    def __init__(self, job: JobState, job_flow: JobFlow, checkpoints: Checkpoints | None) -> None:
        self._job = job
        self._job_flow = job_flow
        self._checkpoints = checkpoints
        self._journal = None if checkpoints is None else JobJournal(checkpoints.path)
        self._finished = 0
        self._next = 0
        """The tick from which on it is saved again."""

    @property
    def keeps(self) -> bool:
        """Whether it was asked for."""
        return self._checkpoints is not None

    def finished_one(self) -> Exception | None:
        """Count another activation, and save the job if it is time for that; what went wrong."""
        self._finished += 1
        return self.save() if self._is_due() else None

    def _is_due(self) -> bool:
        if self._checkpoints is None:
            return False
        every = self._checkpoints.every
        return tick() >= self._next if every is None else self._finished % every == 0

    def finish(self) -> Exception | None:
        """Save the job as one document, as it is from now on; what went wrong."""
        if self._checkpoints is None:
            return None
        try:
            self._job.save(self._checkpoints.path)
        except Exception as error:
            return error
        return None

    def save(self) -> Exception | None:
        """Save what of the job has changed; what went wrong."""
        if self._journal is None:
            return None
        began = tick()
        try:
            self._journal.save(self._job._at_rest(self._job_flow.checkpoint()))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # under the job's lock
        except Exception as error:
            return error
        saved = tick()
        self._next = saved + (_SHARE - 1) * (saved - began)
        return None
