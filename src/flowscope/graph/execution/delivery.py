"""How what is emitted becomes activations of those who are connected."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..._clock import tick
from ...model.status import RunStatus
from ..job.activation import Activation, Carrier, Extras
from ..job.job_log import JobLog
from ..slots.bound_slot import Route
from .checkpoints import pending_of
from .queued_work import Emitted, Work

__all__ = ["Delivery"]

_RUNNING: Final = RunStatus.RUNNING
_PAUSED: Final = RunStatus.PAUSED


class Delivery:
    """Brings the messages of one job to their slots; used under the job's lock."""

    def __init__(self, carrier: Carrier, work: Work, job_log: JobLog) -> None:
        self._carrier = carrier
        self._job = carrier.job
        self._job_fields = vars(carrier.job)  # the attributes of a model are found slowly
        self._post = work.post
        self._merges = job_log.merges
        self._entries = job_log.entries

    def send_all(self, routine_id: str, routes: Mapping[str, Sequence[Route]], emitted: Emitted) -> None:
        """Send what a routine has emitted."""
        for event_name, data in emitted:
            self.send(routine_id, routes, event_name, data)

    def send(
        self, routine_id: str, routes: Mapping[str, Sequence[Route]], event_name: str, data: dict[str, Any]
    ) -> None:
        """Send a message to all that are connected with an event, unless the job has ended."""
        status = self._job_fields["status"]
        if status is not _RUNNING and status is not _PAUSED:
            return
        self._entries += routine_id, event_name, data, tick(), None, 0
        for route in routes.get(event_name, ()):
            if route.is_plain:
                activation = Activation(self._carrier, route.target, data)
            else:
                activation = self._changed(route, data)
                status = self._job.status  # a merge function may pause or end the job
            if status is _RUNNING:
                self._post(activation)
            else:
                self.post(activation)

    def _changed(self, route: Route, data: dict[str, Any]) -> Activation:
        """The activation by a message that is renamed or merged on its way."""
        target = route.target
        arrived = route.connection.carry(data)
        problem: BaseException | None = None
        try:
            arrived = self._merges.take(target.routine_id, target.name, target.merge_strategy, arrived)
        except BaseException as raised:
            problem = raised
        activation = Activation(self._carrier, target, arrived)
        if problem is not None:
            activation.extras = Extras(problem=problem)
        return activation

    def post(self, activation: Activation) -> None:
        """Let an activation wait for its turn; in the job itself, if that is paused."""
        if self._job.status is _RUNNING:
            self._post(activation)
        elif self._job.status is _PAUSED:
            self._job.pending_activations.append(pending_of(activation))
