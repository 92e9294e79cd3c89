"""Facts of a flow that coordination needs and its public attributes do not have."""

import copy
from typing import Any

from ...engine.definitions.callables import Definition, Kind, define
from ...engine.flow_base import state_of
from ...engine.lifecycle.flow_state import new_flow_id
from ...engine.live import Flow

__all__ = ["clone_for_retry", "definition_of", "is_async"]


def definition_of(flow: Flow[Any]) -> Definition:
    """The function that a flow runs; for a subclass that has not set itself up, the one that it will run."""
    bound = state_of(flow).bound
    if bound is not None:
        return bound.target.definition
    return define(flow._own_target(), "flow")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # hidden from users


def is_async(flow: Flow[Any]) -> bool:
    """Whether its function has to be awaited."""
    return definition_of(flow).kind is Kind.ASYNC


def clone_for_retry(flow: Flow[Any]) -> Flow[Any]:
    """A flow with the same function, arguments and provisions, in place of one that cannot be executed again."""
    twin = copy.copy(flow)
    vars(twin)["flow_id"] = new_flow_id()
    ours, theirs = state_of(flow), state_of(twin)
    theirs.provided, theirs.listeners = ours.provided, ours.listeners
    theirs.data = ours.initial_data
    target = definition_of(flow).target
    if getattr(target, "__self__", None) is not flow:
        theirs.bound = ours.bound
    elif ours.bound is not None:
        twin.setup(getattr(twin, target.__name__), *ours.bound.args, **ours.bound.kwargs)
    return twin
