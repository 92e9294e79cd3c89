"""How what is emitted becomes activations of those who are connected."""

from typing import Any

from ...model.status import RunStatus
from ..job.activation import Activation, Carrier
from ..routines.merging import Merges
from ..routines.slots_and_events import Route
from ..structure.graph_port import FINAL, GraphPort
from .checkpoints import pending_of
from .job_log import JobLog
from .queued_work import Emitted, Work

__all__ = ["Delivery"]


class Delivery:
    """Brings the messages of one job to their slots; used under the job's lock."""

    def __init__(self, carrier: Carrier, graph_port: GraphPort, work: Work, job_log: JobLog) -> None:
        self._carrier = carrier
        self._job = carrier.job
        self._graph_port = graph_port
        self._work = work
        self._job_log = job_log
        self.merges = Merges(())

    def send_all(self, routine_id: str, emitted: Emitted) -> None:
        """Send what a routine has emitted."""
        for event_name, data in emitted:
            self.send(routine_id, event_name, data)

    def send(self, routine_id: str, event_name: str, data: dict[str, Any]) -> None:
        """Send a message to all that are connected with an event, unless the job has ended."""
        if self._job.status in FINAL:
            return
        self._job_log.note(routine_id, event_name, data)
        for route in self._graph_port.routes_from(routine_id, event_name):
            self._deliver(route, data)

    def _deliver(self, route: Route, data: dict[str, Any]) -> None:
        target, slot = route.connection.target_id, route.connection.target_slot
        arrived = route.connection.carry(data)
        problem: BaseException | None = None
        try:
            arrived = self.merges.take(target, slot, route.merge_strategy, arrived)
        except BaseException as raised:
            problem = raised
        priority = self._job.priority
        self.post(Activation(self._carrier, route.target, target, slot, arrived, priority=priority, problem=problem))

    def post(self, activation: Activation) -> None:
        """Let an activation wait for its turn; in the job itself, if that is paused."""
        if self._job.status is RunStatus.RUNNING:
            self._work.post(activation)
        elif self._job.status is RunStatus.PAUSED:
            self._job.pending_activations.append(pending_of(activation))
