"""What may be registered; what is refused leaves no trace."""

import pickle
import random
from graphlib import TopologicalSorter
from typing import Any

import pytest

from flowscope import INJECTED, Flow, FlowscopeError, flow
from flowscope.coordination import CoordinationError, DependencyType, FlowCoordinator, FlowType
from support.coordination.flows import Summing, named, noop, outputs, register_all, returning, taking


def coordinator_of(*names: str) -> FlowCoordinator:
    """A coordinator with flows of these ids."""
    coordinator = FlowCoordinator()
    register_all(coordinator, *(named(name, noop) for name in names))
    return coordinator


def state_of(coordinator: FlowCoordinator, *names: str) -> object:
    """All that can be seen of it."""
    return (
        [(name, coordinator.get_dependencies(name)) for name in names],
        coordinator.to_mermaid(),
        coordinator.summary(),
    )


def test_a_flow_is_registered_under_its_id() -> None:
    """`register_flow` returns the flow's id, and `get_flow` the very object; an unknown id gives None."""
    made = Flow[None]().setup(noop)
    coordinator = FlowCoordinator()
    assert coordinator.register_flow(made) == made.flow_id
    assert coordinator.get_flow(made.flow_id) is made
    assert coordinator.get_flow("nobody") is None
    assert coordinator.get_result("nobody") is None
    assert coordinator.get_result(made.flow_id) is None


def test_a_duplicate_id_is_refused() -> None:
    """Another flow of a registered id, and the same one again, are refused, and the first stays."""
    coordinator = coordinator_of("a")
    first = coordinator.get_flow("a")
    assert first is not None
    for again in (named("a", noop), first):
        with pytest.raises(CoordinationError, match=r"'a' is registered already\. Register"):
            coordinator.register_flow(again)
    assert coordinator.get_flow("a") is first
    assert coordinator.summary().total == 1


async def test_two_flows_of_one_name_are_two_flows() -> None:
    """Names may repeat; both run, and both results are found by name, in the order of registration."""
    coordinator = FlowCoordinator()
    one, two = (Flow[Any](flow_name="twin").setup(returning(number)) for number in (1, 2))
    register_all(coordinator, one, two, named("other", noop))
    assert coordinator.get_results_by_name("twin") == []
    await coordinator.execute_all()
    assert [record.return_value for record in coordinator.get_results_by_name("twin")] == [1, 2]
    assert coordinator.get_results_by_name("nobody") == []


@pytest.mark.parametrize("edge", [("a", "nobody"), ("nobody", "a"), ("nobody", "nobody")])
def test_unknown_flows_cannot_be_connected(edge: tuple[str, str]) -> None:
    """A dependency with an unknown end is refused by name, and nothing is left of it."""
    coordinator = coordinator_of("a")
    before = state_of(coordinator, "a")
    with pytest.raises(CoordinationError, match=r"'nobody' is unknown here\. Register"):
        coordinator.register_dependency(*edge)
    assert state_of(coordinator, "a") == before
    coordinator.register_flow(named("nobody", noop))
    assert coordinator.get_dependencies("nobody") == set()


async def test_unknown_flows_are_refused_everywhere() -> None:
    """Whatever takes an id and has nothing to return for an unknown one raises."""
    coordinator = FlowCoordinator()
    calls = [
        coordinator.execute_flow("nobody"),
        coordinator.wait_for_flows({"nobody"}),
        coordinator.fail_flow("nobody", "why"),
        coordinator.cancel_flow("nobody"),
        coordinator.handle_flow_failure("nobody"),
    ]
    for call in calls:
        with pytest.raises(CoordinationError, match="'nobody' is unknown"):
            await call
    with pytest.raises(CoordinationError, match="'nobody' is unknown"):
        coordinator.get_dependencies("nobody")
    assert not coordinator.has_cycle("nobody")


@pytest.mark.parametrize(
    ("edges", "closing", "path"),
    [
        ([], ("a", "a"), "'a' -> 'a'"),
        ([("a", "b")], ("b", "a"), None),
        ([("a", "b"), ("b", "c"), ("c", "d")], ("d", "a"), None),
        ([("c", "d"), ("b", "c"), ("a", "b")], ("d", "b"), None),
    ],
)
def test_a_cycle_is_refused_without_a_trace(
    edges: list[tuple[str, str]], closing: tuple[str, str], path: str | None
) -> None:
    """The dependency that would close a cycle is refused, the error shows the cycle, and all is as before."""
    names = ("a", "b", "c", "d")
    coordinator = coordinator_of(*names)
    for edge in edges:
        coordinator.register_dependency(*edge)
    before = state_of(coordinator, *names)
    with pytest.raises(CoordinationError, match="cycle") as caught:
        coordinator.register_dependency(*closing, param=None)
    assert f"{closing[0]!r} -> {closing[1]!r}" in str(caught.value)
    assert path is None or path in str(caught.value)
    assert state_of(coordinator, *names) == before
    assert not any(map(coordinator.has_cycle, names))


async def test_after_a_refused_cycle_everything_runs() -> None:
    """A refused dependency does not disturb an execution."""
    coordinator = coordinator_of("a", "b", "c")
    coordinator.register_dependency("a", "b")
    coordinator.register_dependency("b", "c")
    with pytest.raises(CoordinationError):
        coordinator.register_dependency("c", "a")
    assert {record.status.value for record in (await coordinator.execute_all()).values()} == {"completed"}


def test_random_graphs_never_have_a_cycle() -> None:
    """Of random dependencies exactly those are refused that graphlib calls a cycle."""
    chance = random.Random(7)
    names = [str(number) for number in range(12)]
    for _ in range(60):
        coordinator = coordinator_of(*names)
        accepted: dict[str, set[str]] = {name: set() for name in names}
        for _ in range(40):
            parent, child = chance.choices(names, k=2)
            wanted = {**accepted, child: accepted[child] | {parent}}
            try:
                TopologicalSorter(wanted).prepare()
            except ValueError:
                with pytest.raises(CoordinationError, match="cycle"):
                    coordinator.register_dependency(parent, child)
            else:
                coordinator.register_dependency(parent, child)
                accepted = wanted
        assert {name: coordinator.get_dependencies(name) for name in names} == accepted
        assert not any(map(coordinator.has_cycle, names))


def test_dependencies_are_told_by_kind() -> None:
    """`get_dependencies` gives the direct dependencies, all or those of a kind."""
    coordinator = coordinator_of("a", "b", "c", "d")
    coordinator.register_dependency("a", "c")
    coordinator.register_dependency("b", "c", DependencyType.OPTIONAL)
    coordinator.register_dependency("c", "d")
    assert coordinator.get_dependencies("c") == {"a", "b"}
    assert coordinator.get_dependencies("c", DependencyType.REQUIRED) == {"a"}
    assert coordinator.get_dependencies("c", DependencyType.OPTIONAL) == {"b"}
    assert coordinator.get_dependencies("d") == {"c"}
    coordinator.get_dependencies("c").clear()
    assert coordinator.get_dependencies("c") == {"a", "b"}


def test_the_same_dependency_twice_is_one() -> None:
    """Registering a dependency again changes nothing; another kind or parameter for it is refused."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", noop), named("b", taking))
    coordinator.register_dependency("a", "b", param="x")
    before = state_of(coordinator, "a", "b")
    coordinator.register_dependency("a", "b", DependencyType.REQUIRED, param="x")
    for kind, param in (
        (DependencyType.OPTIONAL, "x"),
        (DependencyType.REQUIRED, "y"),
        (DependencyType.REQUIRED, None),
    ):
        with pytest.raises(CoordinationError, match="depends on 'a' already"):
            coordinator.register_dependency("a", "b", kind, param=param)
    assert state_of(coordinator, "a", "b") == before


@pytest.mark.parametrize("kind", ["optional", "required"])
def test_kinds_may_be_given_as_text(kind: Any) -> None:
    """The values of the enums are taken for the members; other texts are refused."""
    coordinator = coordinator_of("a", "b")
    coordinator.register_dependency("a", "b", kind)
    assert coordinator.get_dependencies("b", DependencyType(kind)) == {"a"}
    wrong: Any = "sometimes"
    with pytest.raises(CoordinationError, match="'sometimes'"):
        coordinator.register_dependency("b", "a", wrong)
    with pytest.raises(CoordinationError, match="'sometimes'"):
        coordinator.register_flow(named("c", noop), flow_type=wrong)
    assert coordinator.get_flow("c") is None


def test_a_parameter_has_to_be_there() -> None:
    """`param` names a parameter of the child's function, of a flow function, a class or a partial; else it is refused."""

    @flow
    def adds(x: int, y: int = 0, *rest: int, **others: int) -> int:
        return x + y

    coordinator = FlowCoordinator()
    parent, child, summing = register_all(coordinator, named("a", noop), adds(1), Summing(start=1))
    before = state_of(coordinator, parent, child, summing)
    for wrong in ("z", "rest", "others", "upstream", ""):
        with pytest.raises(CoordinationError):
            coordinator.register_dependency(parent, child, param=wrong)
    with pytest.raises(CoordinationError, match=r"no parameter 'start'.*run\(\) takes \['upstream'\]"):
        coordinator.register_dependency(parent, summing, param="start")
    assert state_of(coordinator, parent, child, summing) == before
    coordinator.register_dependency(parent, child, param="y")
    other = coordinator.register_flow(named("b", noop))
    with pytest.raises(CoordinationError, match="takes 'y' from another flow already"):
        coordinator.register_dependency(other, child, param="y")
    assert coordinator.get_dependencies(child) == {parent}


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": "5"},
        {"timeout": True},
        {"retries": -1},
        {"retries": 1.5},
        {"retries": None},
        {"flow_type": "parallel"},
    ],
    ids=repr,
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    """A wrong timeout, number of retries or type is said at the registration, which then has not happened."""
    coordinator = FlowCoordinator()
    with pytest.raises(CoordinationError, match="'a' cannot"):
        coordinator.register_flow(named("a", noop), **options)
    assert coordinator.get_flow("a") is None


def test_what_is_no_flow_is_refused() -> None:
    """A flow function that was not called, or anything else, is no flow."""
    coordinator = FlowCoordinator()
    mistakes: list[Any] = [flow(noop), noop, None, Flow]
    for wrong in mistakes:
        with pytest.raises(CoordinationError, match="is no flow"):
            coordinator.register_flow(wrong)
    assert coordinator.summary().total == 0


@pytest.mark.parametrize("name", ["max_concurrency", "max_threads", "max_processes"])
@pytest.mark.parametrize("number", [0, -1, "2", 1.5, True])
def test_a_bound_is_a_whole_number_from_one(name: str, number: Any) -> None:
    """A coordinator that could run nothing, or whose bound is no whole number, is not made."""
    numbers: dict[str, Any] = {name: number}
    with pytest.raises(CoordinationError, match=rf"{name} cannot be {number!r}\. Give a whole number"):
        FlowCoordinator(**numbers)


async def test_what_has_started_takes_no_more_dependencies() -> None:
    """A dependency of a flow that has settled is refused; a settled parent is fine."""
    coordinator = coordinator_of("a", "b")
    register_all(coordinator, named("c", outputs))
    await coordinator.execute_flow("a")
    with pytest.raises(CoordinationError, match=r"'a' is completed already\. Register"):
        coordinator.register_dependency("b", "a")
    coordinator.register_dependency("a", "c")
    record = await coordinator.execute_flow("c")
    assert record.return_value == {"a": None}


async def test_a_dependency_on_a_failed_flow_settles_the_child() -> None:
    """What comes to require a flow that has failed already fails with it, with all that requires it."""
    coordinator = coordinator_of("a", "b", "c")
    coordinator.register_dependency("b", "c")
    await coordinator.fail_flow("a", "no")
    coordinator.register_dependency("a", "b")
    result = coordinator.get_result("c")
    assert result is not None
    assert result.error is not None
    assert result.error.message == "required dependency 'b' failed"


def test_the_error_is_one_of_the_tree() -> None:
    """`CoordinationError` is a `FlowscopeError` and a `ValueError`, keeps what it is about, and pickles."""
    coordinator = coordinator_of("a")
    assert CoordinationError.__bases__ == (FlowscopeError, ValueError)
    with pytest.raises(CoordinationError, match="'a'") as caught:
        coordinator.register_flow(named("a", noop))
    error = caught.value
    assert error.what == "flow 'a'"
    assert error.reason.startswith("is registered already")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_types_have_the_contracts_values() -> None:
    """The enums are texts."""
    assert [str(kind) for kind in FlowType] == ["inline", "thread", "process"]
    assert [str(kind) for kind in DependencyType] == ["required", "optional"]


def test_a_marker_default_is_enough_for_a_parameter() -> None:
    """A parameter whose default is `INJECTED` takes an output."""

    @flow
    def child(x: int = INJECTED) -> int:
        return x

    coordinator = coordinator_of("a")
    child_id = coordinator.register_flow(child())
    coordinator.register_dependency("a", child_id, param="x")
    assert coordinator.get_dependencies(child_id) == {"a"}
