"""What flows give to those that depend on them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from flowscope import INJECTED, Flow, FlowConfig, RunStatus, flow, task
from flowscope.coordination import DependencyType, FlowCoordinator
from support.coordination.flows import boom, named, noop, outputs, register_all, returning, taking


async def test_outputs_reach_the_child_by_id() -> None:
    """`upstream` holds the value of each direct dependency, as the very object, whatever its type, under its id."""
    values: dict[str, Any] = {"list": [1], "none": None, "zero": 0, "object": object()}
    coordinator = FlowCoordinator()
    found: dict[str, Any] = {}

    def child(upstream: Mapping[str, Any] = INJECTED) -> None:
        found.update(upstream)

    register_all(coordinator, *(named(name, returning(values[name])) for name in values), named("child", child))
    register_all(coordinator, named("far", noop))
    coordinator.register_dependency("far", "list")
    for name in values:
        coordinator.register_dependency(name, "child")
    await coordinator.execute_flow("child")
    assert found == values
    assert found["list"] is values["list"]
    assert found["object"] is values["object"]


async def test_upstream_reaches_tasks_and_is_the_childs_own() -> None:
    """Tasks of the child find `upstream` too; what one child does to it is not seen by another."""
    seen: list[Any] = []

    @task
    def inner(upstream: dict[str, int] = INJECTED) -> None:
        seen.append(dict(upstream))
        upstream.clear()

    @flow
    def child() -> None:
        inner()

    coordinator = FlowCoordinator()
    ids = register_all(coordinator, named("a", returning(1)), child(), child())
    for child_id in ids[1:]:
        coordinator.register_dependency("a", child_id)
    await coordinator.execute_all()
    assert seen == [{"a": 1}, {"a": 1}]


async def test_a_flow_without_dependencies_has_an_empty_upstream() -> None:
    """`upstream` is there also where there is nothing in it."""
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", outputs))
    assert (await coordinator.execute_flow("a")).return_value == {}


async def test_an_output_reaches_its_parameter() -> None:
    """With `param` the parent's value is the argument; an explicit argument wins; a class takes it in `run`."""

    @flow
    def adds(x: int = INJECTED, y: int = 10) -> int:
        return x + y

    class Shows(Flow[str]):
        prefix: str

        def run(self, text: str = "nothing") -> str:
            return self.prefix + text

    coordinator = FlowCoordinator()
    one, two = register_all(coordinator, named("one", returning(1)), named("two", returning("2")))
    both, explicit, shows = register_all(coordinator, adds(), adds(5), Shows(prefix=">"))
    coordinator.register_dependency(one, both, param="x")
    coordinator.register_dependency(one, explicit, param="x")
    coordinator.register_dependency(two, shows, param="text")
    records = await coordinator.execute_all()
    assert [records[name].return_value for name in (both, explicit, shows)] == [11, 15, ">2"]
    assert records[both].params == {"y": 10}


async def test_an_async_flow_takes_outputs_too() -> None:
    """Async flows are given `upstream` and parameters."""

    @flow
    async def child(x: int = INJECTED, upstream: Mapping[str, int] = INJECTED) -> tuple[int, dict[str, int]]:
        await asyncio.sleep(0)
        return x, dict(upstream)

    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", returning(1)))
    child_id = coordinator.register_flow(child())
    coordinator.register_dependency("a", child_id, param="x")
    assert (await coordinator.execute_flow(child_id)).return_value == (1, {"a": 1})


async def test_a_failed_optional_dependency_is_absent() -> None:
    """The child of a failed optional dependency runs without its output, and its parameter keeps its default."""

    @flow
    def child(x: int = -1, upstream: Mapping[str, Any] = INJECTED) -> tuple[int, list[str]]:
        return x, list(upstream)

    coordinator = FlowCoordinator()
    register_all(coordinator, named("bad", boom), named("good", noop))
    child_id = coordinator.register_flow(child())
    coordinator.register_dependency("bad", child_id, DependencyType.OPTIONAL, param="x")
    coordinator.register_dependency("good", child_id)
    record = await coordinator.execute_flow(child_id)
    assert (record.status, record.return_value) == (RunStatus.COMPLETED, (-1, ["good"]))


async def test_values_are_passed_though_they_are_not_recorded() -> None:
    """An output reaches the child as itself where the record of the parent hides or drops it."""
    coordinator = FlowCoordinator()
    hiding = FlowConfig(record_return_values=False)
    register_all(coordinator, named("hidden", lambda: "secret", flow_config=hiding), named("child", outputs))
    register_all(coordinator, named("masked", lambda: {"password": "open"}))
    coordinator.register_dependency("hidden", "child")
    coordinator.register_dependency("masked", "child")
    register_all(coordinator, named("last", taking))
    coordinator.register_dependency("child", "last", param="x")
    records = await coordinator.execute_all()
    assert records["hidden"].return_value is None
    last = coordinator.get_flow("last")
    assert last is not None
    assert last.return_value == {"hidden": "secret", "masked": {"password": "open"}}
