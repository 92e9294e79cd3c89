"""The state of a coordinator, for any thread: the schedule decides under a lock, waiters are woken outside of it."""

import threading
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass

from ...model.records import FlowRun
from ...model.status import RunStatus
from .dependency_graph import Dependency
from .options import DependencyType, FlowType
from .outcome import ForcedOutcome, Outcome, never_run
from .registration import Registration
from .scheduler import ExecutionRequest, Inputs, Node, Schedule
from .waiters import Waiting

__all__ = ["CoordinatorState", "Snapshot"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All flows with their states, and all dependencies, at one moment."""

    flows: Mapping[str, tuple[Registration, RunStatus]]
    dependencies: tuple[Dependency, ...]


class CoordinatorState:
    """Flows and their states. The lock is held for a moment, never during a wait or users' code."""

    def __init__(self, limit: int | None, limits: dict[FlowType, int]) -> None:
        self._schedule = Schedule(limit, limits)
        self._waitings: dict[str, dict[Waiting, None]] = {}
        self._lock = threading.RLock()
        self.token: object = object()
        """Identifies the state where a reference would keep it alive."""

    def register(self, registration: Registration) -> None:
        """Take a flow."""
        with self._lock:
            self._schedule.add(registration)

    def connect(self, dependency: Dependency) -> None:
        """Take a dependency."""
        with self._lock:
            callbacks = self._callbacks_after(self._schedule.connect(dependency))
        _call_all(callbacks)

    def settle(self, flow_id: str, outcome: Outcome) -> None:
        """Note how a flow has ended, unless that is known already."""
        with self._lock:
            callbacks = self._callbacks_after(self._schedule.settle(flow_id, outcome))
        _call_all(callbacks)

    def fail_dependents(self, flow_id: str) -> None:
        """Fail what requires the flow."""
        with self._lock:
            callbacks = self._callbacks_after(self._schedule.fail_dependents(flow_id))
        _call_all(callbacks)

    def force_outcome(self, flow_id: str, forced: ForcedOutcome) -> None:
        """Say that a flow has failed or is cancelled: at once if it has not started, else it is told to stop."""
        with self._lock:
            node = self._schedule.node(flow_id)
            if node.outcome is not None:
                return
            if node.status is RunStatus.PENDING:
                unrun = never_run(flow_id, node.registration.flow, forced)
                callbacks = self._callbacks_after(self._schedule.settle(flow_id, unrun))
            else:
                node.forced = node.forced or forced
                callbacks = [] if node.stop is None else [node.stop]
        _call_all(callbacks)

    def close(self, forced: ForcedOutcome) -> Waiting:
        """Force an outcome on each flow that has not settled; return a `Waiting` for their end."""
        with self._lock:
            open_ids = [flow_id for flow_id, node in self._schedule.nodes.items() if node.outcome is None]
        for flow_id in open_ids:
            self.force_outcome(flow_id, forced)
        return self.watch(open_ids)

    def request(self, request: ExecutionRequest, flow_ids: Iterable[str]) -> None:
        """Want flows, with whatever they still depend on."""
        with self._lock:
            self._schedule.request(request, flow_ids)

    async def satisfied(self, request: ExecutionRequest) -> None:
        """Wait until all that is wanted, also what is added meanwhile, has settled."""
        while (waiting := self.watch(request.wanted)).missing:
            try:
                await waiting.wait()
            finally:
                self.unwatch(waiting)

    def withdraw(self, request: ExecutionRequest) -> list[str]:
        """Withdraw a request; return the running flows that no other request wants."""
        with self._lock:
            return self._schedule.withdraw(request)

    def start_ready(self, home: object) -> None:
        """Start what may start for the executions of an event loop; to be called there."""
        while (taken := self._take(home)) is not None:
            request, registration, inputs = taken
            request.start(registration, inputs)

    def _take(self, home: object) -> tuple[ExecutionRequest, Registration, Inputs] | None:
        with self._lock:
            taken = self._schedule.take(home)
            if taken is None:
                return None
            request, node = taken
            return request, node.registration, self._schedule.inputs_of(node.registration.flow_id)

    def running(self, flow_id: str, stop: Callable[[], None]) -> None:
        """Note how to stop a flow that now runs; it is stopped at once if an outcome was forced meanwhile."""
        with self._lock:
            node = self._schedule.node(flow_id)
            node.stop = stop
            is_forced = node.forced is not None
        if is_forced:
            stop()

    def watch(self, flow_ids: Iterable[str]) -> Waiting:
        """A `Waiting` for flows.

        Raises:
            UnknownFlowError: One of them is unknown.
        """
        with self._lock:
            return self._watch(flow_ids)

    def _watch(self, flow_ids: Iterable[str]) -> Waiting:
        nodes = {flow_id: self._schedule.node(flow_id) for flow_id in flow_ids}
        waiting = Waiting({flow_id for flow_id, node in nodes.items() if node.outcome is None})
        for flow_id in waiting.missing:
            self._waitings.setdefault(flow_id, {})[waiting] = None
        return waiting

    def unwatch(self, waiting: Waiting) -> None:
        """Drop a `Waiting`."""
        with self._lock:
            for flow_id in waiting.missing:
                self._waitings[flow_id].pop(waiting, None)

    async def wait(self, flow_ids: Set[str], seconds: float | None = None) -> None:
        """Wait until all of these have settled.

        Raises:
            UnknownFlowError: One of them is unknown.
            TimeoutError: One of them has not settled after that time.
        """
        waiting = self.watch(flow_ids)
        try:
            await waiting.wait(seconds)
        finally:
            self.unwatch(waiting)

    def _callbacks_after(self, settled: list[str]) -> list[Callable[[], None]]:
        """The callbacks to call, outside the lock, after a change by which these have settled."""
        callbacks: list[Callable[[], None]] = []
        for flow_id in settled:
            for waiting in self._waitings.pop(flow_id, ()):
                waiting.missing.discard(flow_id)
                if not waiting.missing:
                    callbacks.append(waiting.wake)
        callbacks += [request.wake for request in self._schedule.takers()]
        return callbacks

    def node(self, flow_id: str) -> Node:
        """The state of a flow.

        Raises:
            CoordinationError: It is unknown.
        """
        return self._schedule.node(flow_id)

    def find(self, flow_id: str) -> Node | None:
        """The state of a flow, if it is known."""
        return self._schedule.nodes.get(flow_id)

    def records(self, flow_ids: Iterable[str]) -> dict[str, FlowRun]:
        """The records of flows that have settled."""
        with self._lock:
            outcomes = {flow_id: self._schedule.node(flow_id).outcome for flow_id in flow_ids}
        return {flow_id: outcome.record for flow_id, outcome in outcomes.items() if outcome is not None}

    def flow_ids(self) -> list[str]:
        """All flows, in the order of their registration."""
        with self._lock:
            return list(self._schedule.nodes)

    def dependencies(self, flow_id: str, kind: DependencyType | None) -> set[str]:
        """What a flow depends on, directly."""
        with self._lock:
            self._schedule.node(flow_id)
            edges = self._schedule.graph.dependencies(flow_id)
            return {dependency.parent_id for dependency in edges if kind is None or dependency.kind == kind}

    def has_cycle(self, start_id: str) -> bool:
        """Whether a path from a known flow to its dependents leads to a cycle."""
        with self._lock:
            return start_id in self._schedule.nodes and self._schedule.graph.has_cycle(start_id)

    def snapshot(self) -> Snapshot:
        """Everything, as of now."""
        with self._lock:
            flows = {flow_id: (node.registration, node.status) for flow_id, node in self._schedule.nodes.items()}
            graph = self._schedule.graph
            return Snapshot(flows, tuple(edge for flow_id in flows for edge in graph.dependents(flow_id)))


def _call_all(callbacks: list[Callable[[], None]]) -> None:
    for callback in callbacks:
        callback()
