"""The schedule: which flows may start, and the consequences of outcomes; decisions only, for one thread at a time.

The order comes from counting, per flow, the dependencies that have not settled. `graphlib` finds the cycles (in
`graph`), but its sorter cannot give the order here: it takes nothing more once it is prepared, it cannot take off a
node that it has not handed out (a flow that is failed or cancelled from outside), and several executions, each with
flows of its own to wait for, share one set of flows of which each runs once.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ...errors import CoordinationError
from ...model.status import RunStatus
from ..errors import FlowTakenError, UnknownFlowError
from .dependency_graph import Dependency, DependencyGraph
from .options import DependencyType, FlowType
from .outcome import ForcedOutcome, Outcome, never_run
from .registration import Registration

__all__ = ["ExecutionRequest", "Inputs", "Node", "Schedule"]


class ExecutionRequest(ABC):
    """The flows that one execution wants, with all that they depend on."""

    def __init__(self, home: object) -> None:
        self.home = home
        """The event loop in which it starts flows."""
        self.wanted: dict[str, None] = {}
        """The ids, in order."""

    @abstractmethod
    def wake(self) -> None:
        """Hear, from any thread, that there is something to take for its home."""

    @abstractmethod
    def start(self, registration: Registration, inputs: "Inputs") -> None:
        """Run a flow that was taken, at home."""


@dataclass(slots=True, eq=False)
class Node:
    """The state of one flow."""

    registration: Registration
    status: RunStatus = RunStatus.PENDING
    unsettled: int = 0
    """How many of its dependencies have not settled."""
    outcome: Outcome | None = None
    forced: ForcedOutcome | None = None
    """The outcome that was forced on it from outside while it runs."""
    stop: Callable[[], None] | None = None
    """How to end it while it runs, from any thread."""
    requests: dict[ExecutionRequest, None] = field(default_factory=dict[ExecutionRequest, None])
    """The requests that want it, until it has settled."""

    @property
    def is_ready(self) -> bool:
        """Whether it may start."""
        return self.status is RunStatus.PENDING and self.unsettled == 0


@dataclass(frozen=True, slots=True)
class Inputs:
    """The outputs of the flows that a flow depends on."""

    upstream: dict[str, Any]
    """Their outputs by id; what has not completed is absent."""
    params: dict[str, Any]
    """The same by parameter, where one was named."""


class _Home:
    """The executions of one event loop."""

    __slots__ = ("ready", "requests")

    def __init__(self) -> None:
        self.requests: dict[ExecutionRequest, None] = {}
        self.ready: dict[FlowType, deque[tuple[ExecutionRequest, Node]]] = {kind: deque() for kind in FlowType}
        """What could start, were there room, and may have been started or settled meanwhile."""


class Schedule:
    """The flows, their dependencies and their states."""

    def __init__(self, limit: int | None, limits: dict[FlowType, int]) -> None:
        self.graph: DependencyGraph = DependencyGraph()
        self.nodes: dict[str, Node] = {}
        self._homes: dict[object, _Home] = {}
        self._limit = limit
        self._limits = limits
        self._running = dict.fromkeys(FlowType, 0)

    def add(self, registration: Registration) -> None:
        """Take a flow.

        Raises:
            FlowTakenError: Its id is registered already.
        """
        flow_id = registration.flow_id
        if flow_id in self.nodes:
            raise FlowTakenError(flow_id)
        self.nodes[flow_id] = Node(registration)
        self.graph.add(flow_id)

    def node(self, flow_id: str) -> Node:
        """A flow's state.

        Raises:
            UnknownFlowError: There is no such flow.
        """
        node = self.nodes.get(flow_id)
        if node is None:
            raise UnknownFlowError(flow_id)
        return node

    def connect(self, dependency: Dependency) -> list[str]:
        """Take a dependency; return the flows that have settled by it, because the parent had failed.

        Raises:
            CoordinationError: A flow is unknown, the child has started, or the dependency cannot be.
        """
        parent, child = self.node(dependency.parent_id), self.node(dependency.child_id)
        if child.status is not RunStatus.PENDING:
            reason = f"is {child.status} already. Register what a flow depends on before it starts."
            raise CoordinationError(f"flow {dependency.child_id!r}", reason)
        if not self.graph.connect(dependency):
            return []
        if parent.outcome is None:
            child.unsettled += 1
            for request in child.requests:
                self.request(request, [dependency.parent_id])
            return []
        forced = _forced_by(dependency, parent.outcome)
        return [] if forced is None else self.settle(dependency.child_id, self._unrun(child, forced))

    def request(self, request: ExecutionRequest, flow_ids: Iterable[str]) -> None:
        """Want flows, and whatever they still depend on."""
        self._homes.setdefault(request.home, _Home()).requests[request] = None
        waiting = deque(flow_ids)
        while waiting:
            flow_id = waiting.popleft()
            node = self.nodes[flow_id]
            if node.outcome is not None or flow_id in request.wanted:
                continue
            request.wanted[flow_id] = None
            node.requests[request] = None
            self._offer(node)
            waiting.extend(dependency.parent_id for dependency in self.graph.dependencies(flow_id))

    def withdraw(self, request: ExecutionRequest) -> list[str]:
        """Withdraw a request; return the running flows that no other request wants."""
        orphans: list[str] = []
        for flow_id in request.wanted:
            node = self.nodes[flow_id]
            if node.outcome is None:
                node.requests.pop(request, None)
                if node.status is RunStatus.RUNNING and not node.requests:
                    orphans.append(flow_id)
        request.wanted.clear()
        home = self._homes[request.home]
        del home.requests[request]
        if not home.requests:
            del self._homes[request.home]
        return orphans

    def take(self, home: object) -> tuple[ExecutionRequest, Node] | None:
        """A request of this event loop, and the flow that it starts now; None if none is ready, or there is no room."""
        executions = self._homes.get(home)
        for flow_type, queue in executions.ready.items() if executions is not None else ():
            while queue and self._has_room(flow_type):
                request, node = queue.popleft()
                if node.is_ready and request in node.requests:
                    node.status = RunStatus.RUNNING
                    self._running[flow_type] += 1
                    return request, node
        return None

    def takers(self) -> list[ExecutionRequest]:
        """One execution for each home that may find something to take."""
        requests: list[ExecutionRequest] = []
        for home in self._homes.values():
            queues = (queue for flow_type, queue in home.ready.items() if queue and self._has_room(flow_type))
            requests += [queue[0][0] for queue in islice(queues, 1)]
        return requests

    def _has_room(self, flow_type: FlowType) -> bool:
        if self._limit is not None and sum(self._running.values()) >= self._limit:
            return False
        return self._running[flow_type] < self._limits.get(flow_type, self._running[flow_type] + 1)

    def inputs_of(self, flow_id: str) -> Inputs:
        """The outputs of the flow's completed dependencies."""
        completed = [
            (dependency, outcome)
            for dependency in self.graph.dependencies(flow_id)
            if (outcome := self.nodes[dependency.parent_id].outcome) and outcome.status is RunStatus.COMPLETED
        ]
        return Inputs(
            {dependency.parent_id: outcome.value for dependency, outcome in completed},
            {dependency.param: outcome.value for dependency, outcome in completed if dependency.param is not None},
        )

    def settle(self, flow_id: str, outcome: Outcome) -> list[str]:
        """Note how a flow has ended; return the flows that have settled by it. The first outcome of a flow is final."""
        settled: list[str] = []
        waiting = deque([(self.nodes[flow_id], outcome)])
        while waiting:
            node, outcome = waiting.popleft()
            if node.outcome is None:
                final = self._end(node, outcome)
                settled.append(node.registration.flow_id)
                waiting.extend(self._consequences(node.registration.flow_id, final))
        return settled

    def _end(self, node: Node, outcome: Outcome) -> Outcome:
        if node.status is RunStatus.RUNNING:
            self._running[node.registration.flow_type] -= 1
        node.outcome = final = outcome if node.forced is None else outcome.under(node.forced)
        node.status = final.status
        node.stop = None
        node.requests = {}
        return final

    def _consequences(self, flow_id: str, outcome: Outcome) -> Iterator[tuple[Node, Outcome]]:
        """The dependents that cannot run any more; those that now can are offered."""
        for dependency in self.graph.dependents(flow_id):
            child = self.nodes[dependency.child_id]
            child.unsettled -= 1
            forced = _forced_by(dependency, outcome)
            if forced is not None:
                yield child, self._unrun(child, forced)
            else:
                self._offer(child)

    def fail_dependents(self, flow_id: str) -> list[str]:
        """Fail what requires the flow, and what requires that; return the flows that have settled by it."""
        if self.node(flow_id).status is RunStatus.COMPLETED:
            return []
        settled: list[str] = []
        for dependency in self.graph.dependents(flow_id):
            if dependency.kind is DependencyType.REQUIRED:
                child = self.nodes[dependency.child_id]
                settled += self.settle(dependency.child_id, self._unrun(child, _failed_by(dependency)))
        return settled

    def _offer(self, node: Node) -> None:
        if node.is_ready:
            for request in node.requests:
                self._homes[request.home].ready[node.registration.flow_type].append((request, node))

    def _unrun(self, node: Node, forced: ForcedOutcome) -> Outcome:
        return never_run(node.registration.flow_id, node.registration.flow, forced)


def _forced_by(dependency: Dependency, outcome: Outcome) -> ForcedOutcome | None:
    """What the outcome of a dependency means for its dependent: None lets it run."""
    if dependency.kind is DependencyType.OPTIONAL or outcome.status is RunStatus.COMPLETED:
        return None
    if outcome.status is RunStatus.CANCELLED:
        return ForcedOutcome.cancelled(f"required dependency {dependency.parent_id!r} was cancelled")
    return _failed_by(dependency)


def _failed_by(dependency: Dependency) -> ForcedOutcome:
    return ForcedOutcome.failed(f"required dependency {dependency.parent_id!r} failed")
