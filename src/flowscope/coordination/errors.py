"""The kinds of errors of coordination."""

from typing import Any

from ..errors import CoordinationError

__all__ = ["DependencyCycleError", "FlowTakenError", "UnknownFlowError"]


class UnknownFlowError(CoordinationError):
    """A flow id is not registered with the coordinator.

    Attributes:
        flow_id: The id.
    """

    def __init__(self, flow_id: str) -> None:
        super().__init__(f"flow {flow_id!r}", "is unknown here. Register it with register_flow() first.")
        self.args: tuple[Any, ...] = (flow_id,)
        self.flow_id = flow_id


class FlowTakenError(CoordinationError):
    """A flow id is registered with the coordinator already.

    Attributes:
        flow_id: The id.
    """

    def __init__(self, flow_id: str) -> None:
        super().__init__(f"flow {flow_id!r}", "is registered already. Register each flow once.")
        self.args: tuple[Any, ...] = (flow_id,)
        self.flow_id = flow_id


class DependencyCycleError(CoordinationError):
    """A dependency would close a cycle.

    Attributes:
        parent_id: The flow that was to settle first.
        child_id: The flow that was to depend on it.
        cycle: The ids of the cycle, each of which depends on the next; the first one again at the end.
    """

    def __init__(self, parent_id: str, child_id: str, cycle: tuple[str, ...]) -> None:
        path = " -> ".join(map(repr, cycle))
        reason = f"cannot depend on {parent_id!r}: that would be a cycle, {path}. Take one of these away."
        super().__init__(f"flow {child_id!r}", reason)
        self.args: tuple[Any, ...] = (parent_id, child_id, cycle)
        self.parent_id = parent_id
        self.child_id = child_id
        self.cycle = cycle
