"""Subclasses of `Flow` and of `FlowConfig`: typed inputs, typed values, hooks."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Generic, TypeVar

import pytest
from typing_extensions import Self, assert_type, override

from flowscope import INJECTED, Flow, FlowConfig, FlowRun, flow, task

T = TypeVar("T")


class Ingest(Flow[int]):
    """A flow with inputs, and methods that are tasks."""

    url: str
    batch: int = 100

    def run(self) -> int:
        return assert_type(self.load(2), int) + len(self.url)

    @task
    def load(self, times: int) -> int:
        self.log_info("loading")
        return self.batch * times

    @task(raise_on_error=False)
    def optional(self) -> int:
        return self.batch


class Report(Flow[str]):
    """A flow with an async `run()`."""

    async def run(self) -> str:
        return await self.page(1)

    @task
    async def page(self, number: int) -> str:
        return f"page {number}"


class Pick(Flow[T], Generic[T]):
    """A generic flow."""

    items: list[T]

    def run(self) -> T:
        return self.items[0]


class FromMain(Flow[float]):
    """A flow that overrides `main()`."""

    @override
    def main(self) -> float:
        return 1.5


class Held(Flow[list[str]]):
    """A flow that extends every hook."""

    @override
    def task_dependencies(self) -> Mapping[str, Any]:
        return {"unit": "m"}

    def run(self, unit: str = INJECTED) -> list[str]:
        return [unit]

    @override
    def __enter__(self) -> Self:
        self.flow_data["held"] = True
        return super().__enter__()

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)

    @override
    async def __aenter__(self) -> Self:
        return await super().__aenter__()

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, traceback)


class TeamConfig(FlowConfig):
    """A config with a default of its own, a field more and a hook."""

    max_logs: int | None = 1_000
    team: str = "data"

    @override
    def custom_setup(self, flow: Flow[Any]) -> None:
        flow.flow_data["team"] = self.team


def test_inputs_are_typed_fields() -> None:
    """The constructor takes the fields of the subclass and those of `Flow`; attributes have the declared types."""
    made = Ingest(url="https://example.org", batch=10, flow_name="nightly", tags=("a",), flow_id="flow-1")
    assert assert_type(made.url, str) == "https://example.org"
    assert assert_type(made.batch, int) == 10
    made.batch = 20
    assert made.flow_name == "nightly"


def test_chained_calls_return_the_subclass() -> None:
    """`execute`, `setup`, `provide` and the blocks return the subclass, not `Flow`."""
    executed = assert_type(Ingest(url="").execute(), Ingest)
    assert assert_type(executed.return_value, int) == 200
    assert assert_type(executed.flow_run, FlowRun[int]).return_value == 200
    assert_type(Ingest(url="").provide(database=1), Ingest)
    assert_type(Ingest(url="").setup(), Ingest)
    assert_type(Ingest(url="").execute_flow({"try": 1}), Ingest)
    assert_type(executed.print_log_messages(), Ingest)
    with Ingest(url="") as run:
        assert assert_type(run, Ingest).load(1) == 100
        assert assert_type(run.optional(), int | None) == 100


@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_an_async_run_is_typed() -> None:
    """`run` may be async: the flow is of what it returns when it is awaited."""
    assert assert_type(Report().execute().return_value, str) == "page 1"
    assert assert_type((await Report()).return_value, str) == "page 1"
    assert_type(await Report(), Report)
    assert_type(await Report().execute_async(), Report)
    async with Report() as run:
        assert assert_type(await assert_type(run, Report).page(2), str) == "page 2"


def test_a_generic_subclass_is_typed_by_its_inputs() -> None:
    """The type of the value follows from the inputs, or from an explicit parameter."""
    assert assert_type(Pick(items=["a"]).execute().return_value, str) == "a"
    assert assert_type(Pick[int](items=[1]).execute().return_value, int) == 1


def test_hooks_are_overridden_with_their_types() -> None:
    """`main`, `task_dependencies` and the blocks' methods have types that a subclass can override."""
    assert assert_type(FromMain().execute().return_value, float) == 1.5
    assert assert_type(Held().execute().return_value, list[str]) == ["m"]
    with Held() as run:
        assert assert_type(run, Held).flow_data["held"] is True


def test_a_config_may_be_extended() -> None:
    """A subclass of `FlowConfig` has typed fields, and is accepted where a config is wanted."""
    config = TeamConfig(team="web", log_level="INFO")
    assert assert_type(config.team, str) == "web"
    assert assert_type(config.max_logs, int | None) == 1_000

    @flow(flow_config=config)
    def work(flow_data: dict[str, Any] = INJECTED) -> str:
        return str(flow_data["team"])

    run = work().execute()
    assert assert_type(run.flow_config, FlowConfig) is config
    assert assert_type(run.return_value, str) == "web"
