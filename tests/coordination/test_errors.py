"""The errors of coordination that programs act on: their attributes, texts and pickles."""

import pickle
from collections.abc import Iterable

import pytest

from flowscope import Flow, FlowscopeError
from flowscope.coordination import (
    CoordinationError,
    DependencyCycleError,
    FlowCoordinator,
    FlowTakenError,
    UnknownFlowError,
)


def nothing() -> None:
    """The function of a flow that is never run."""


def coordinator_of(flow_ids: Iterable[str]) -> FlowCoordinator:
    """A coordinator with a flow for each id."""
    coordinator = FlowCoordinator()
    for flow_id in flow_ids:
        coordinator.register_flow(Flow[None](flow_id=flow_id).setup(nothing))
    return coordinator


async def test_an_unknown_flow_is_named() -> None:
    """Every method that needs a registered flow raises the error with its id."""
    coordinator = coordinator_of("a")
    with pytest.raises(UnknownFlowError) as as_parent:
        coordinator.register_dependency("b", "a")
    with pytest.raises(UnknownFlowError) as as_child:
        coordinator.register_dependency("a", "b")
    with pytest.raises(UnknownFlowError) as executed:
        await coordinator.execute_flow("b")
    with pytest.raises(UnknownFlowError) as awaited:
        await coordinator.wait_for_flows({"b"})
    with pytest.raises(UnknownFlowError) as cancelled:
        await coordinator.cancel_flow("b")
    for caught in (as_parent, as_child, executed, awaited, cancelled):
        assert caught.value.flow_id == "b"


def test_a_taken_id_is_named() -> None:
    """The second registration of an id raises the error with that id."""
    coordinator = coordinator_of("a")
    with pytest.raises(FlowTakenError) as caught:
        coordinator.register_flow(Flow[None](flow_id="a").setup(nothing))
    assert caught.value.flow_id == "a"


def test_a_cycle_is_shown() -> None:
    """A dependency that closes a cycle raises the error with both ids and the whole cycle."""
    coordinator = coordinator_of("abc")
    coordinator.register_dependency("a", "b")
    coordinator.register_dependency("b", "c")
    with pytest.raises(DependencyCycleError) as caught:
        coordinator.register_dependency("c", "a")
    error = caught.value
    assert (error.parent_id, error.child_id) == ("c", "a")
    assert error.cycle[0] == error.cycle[-1]
    assert set(error.cycle) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "error",
    [UnknownFlowError("a"), FlowTakenError("a"), DependencyCycleError("a", "b", ("a", "b", "a"))],
    ids=lambda error: type(error).__name__,
)
def test_each_pickles(error: FlowscopeError) -> None:
    """An error comes through pickling with its type, arguments, attributes and text."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))
    assert isinstance(again, CoordinationError)
