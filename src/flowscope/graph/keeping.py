"""Activations as a job keeps them, and jobs as a file keeps them while they run."""

from ..engine.failure import Failure
from ..executors.remote_errors import remote_error
from .activation import Activation, Carrier
from .host import Checkpoints
from .routine import Routine
from .state import JobState, PendingActivation

__all__ = ["Keeper", "activation_of", "pending_of"]


def pending_of(activation: Activation) -> PendingActivation:
    """An activation as its job keeps it."""
    return PendingActivation.model_construct(
        routine_id=activation.routine_id,
        slot=activation.slot,
        data=activation.data,
        attempt=activation.attempt,
        problem=None if activation.problem is None else Failure(activation.problem).info(),
    )


def activation_of(kept: PendingActivation, carrier: Carrier, routine: Routine) -> Activation:
    """An activation again."""
    return Activation(
        carrier,
        routine,
        kept.routine_id,
        kept.slot,
        kept.data,
        priority=carrier.job.priority,
        attempt=kept.attempt,
        problem=None if kept.problem is None else remote_error(kept.problem),
    )


class Keeper:
    """Saves a job while it runs, if that was asked for."""

    def __init__(self, job: JobState, checkpoints: Checkpoints | None) -> None:
        self._job = job
        self._checkpoints = checkpoints
        self._finished = 0

    @property
    def keeps(self) -> bool:
        """Whether it was asked for."""
        return self._checkpoints is not None

    def finished_one(self) -> Exception | None:
        """Count another activation, and save the job if it is time for that; what went wrong."""
        self._finished += 1
        due = self._checkpoints is not None and self._finished % self._checkpoints.every == 0
        return self.save() if due else None

    def save(self) -> Exception | None:
        """Save the job; what went wrong."""
        if self._checkpoints is None:
            return None
        try:
            self._job.save(self._checkpoints.path)
        except Exception as error:
            return error
        return None
