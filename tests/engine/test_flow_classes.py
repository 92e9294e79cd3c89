"""Flows as classes: typed inputs, `run` or `main`, and methods that are tasks."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import Field, ValidationError, field_validator

from flowscope import INJECTED, DefinitionError, Flow, FlowConfig, NotSetUpError, RunStatus, Task, current_flow, task


class Ingest(Flow[int]):
    """Reads pages, page by page."""

    url: str
    batch: int = 100
    headers: dict[str, str] = Field(default_factory=dict)

    def run(self) -> int:
        self.log_info(f"reading {self.url}")
        return sum(self.page(n) for n in range(2))

    @task
    def page(self, number: int) -> int:
        self.log_info(f"page {number}")
        return self.batch + number

    @field_validator("batch")
    @classmethod
    def _positive(cls, value: int) -> int:
        if value <= 0:
            raise ValueError("must be positive")
        return value


def test_a_class_sets_itself_up() -> None:
    """A subclass with `run()` needs no `setup`: its fields are the params, its class name is its name."""
    made = Ingest(url="u", batch=5)
    assert made.status is RunStatus.PENDING
    assert made.execute() is made
    assert made.return_value == 11
    assert made.flow_name == made.flow_run.flow_name == "Ingest"
    assert made.flow_run.params == {"url": "u", "batch": 5, "headers": {}}


def test_inputs_are_checked_and_coerced_on_construction() -> None:
    """Bad, missing, invalid and unknown inputs raise Pydantic's `ValidationError`; text that is a number becomes one."""
    given: Any = {"url": "u", "batch": "7"}
    assert Ingest(**given).batch == 7
    for bad in ({}, {"url": 5}, {"url": "u", "batch": "many"}, {"url": "u", "batch": 0}, {"url": "u", "bach": 5}):
        arguments: Any = bad
        with pytest.raises(ValidationError):
            Ingest(**arguments)


def test_inputs_are_checked_and_coerced_on_assignment() -> None:
    """An assignment is checked like the construction, and what is assigned before the run is recorded."""
    made = Ingest(url="u")
    bad: Any = "many"
    with pytest.raises(ValidationError):
        made.batch = bad
    with pytest.raises(ValidationError):
        made.batch = -1
    assert made.batch == 100
    text: Any = "8"
    made.batch = text
    assert made.batch == 8
    assert made.execute().flow_run.params["batch"] == 8


@pytest.mark.filterwarnings("ignore:Field name .* shadows an attribute:UserWarning")
@pytest.mark.parametrize("name", ["status", "setup", "flow_data", "log_info"])
def test_a_field_cannot_hide_what_every_flow_has(name: str) -> None:
    """Such a field would be lost, or a method; the class is refused."""
    with pytest.raises(DefinitionError, match=f"'Hiding'.*{name!r}.*Rename"):
        type("Hiding", (Flow,), {"__annotations__": {name: str}, name: "x", "__module__": __name__})


def test_a_flow_shows_its_state_and_not_its_inputs() -> None:
    """They may be long, or secret."""
    made = Ingest(url="https://me:secret@example.org", flow_id="flow-1")
    assert repr(made) == "Ingest(flow_name='Ingest', flow_id='flow-1', status='pending')"
    assert "secret" not in str(made.execute())
    assert "completed" in repr(made)


def test_methods_are_tasks() -> None:
    """A method decorated with `@task` runs in the flow, logs under its task, and its inputs do not show `self`."""
    made = Ingest(url="u").execute()
    record = made.flow_run
    assert [(t.task_name, t.input_args) for t in record.tasks] == [("page", [0]), ("page", [1])]
    ids = {e.message: e.task_id for e in record.logs}
    assert ids["reading u"] is None
    assert ids["page 1"] == record.tasks[1].task_id


@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_run_may_be_async() -> None:
    """An async `run` is awaited, or executed from sync code."""

    class Later(Flow[str]):
        async def run(self) -> str:
            await asyncio.sleep(0)
            return await self.greet("you")

        @task
        async def greet(self, whom: str) -> str:
            return f"hello {whom}"

    made = await Later()
    assert made.return_value == "hello you"
    assert [t.input_args for t in made.flow_run.tasks] == [["you"]]
    assert Later().execute().return_value == "hello you"


def test_main_serves_where_there_is_no_run() -> None:
    """A subclass may define `main()` instead of `run()`; where both are defined, `run()` is what runs."""

    class Main(Flow[str]):
        def main(self) -> str:
            return "main"

    class Both(Main):
        def run(self) -> str:
            return "run"

    assert Main().execute().return_value == "main"
    assert Main().setup().execute().return_value == "main"
    assert Both().execute().return_value == "run"


def test_a_class_without_work_has_to_be_set_up() -> None:
    """A subclass with neither `run()` nor `main()` raises `NotSetUpError`, and can be set up with a function."""

    class Bare(Flow[int]):
        size: int = 3

    with pytest.raises(NotSetUpError, match="Bare"):
        Bare().execute()
    made = Bare().setup(lambda: 5)
    assert made.execute().return_value == 5
    assert made.flow_name == "Bare"
    assert made.flow_run.params == {"size": 3}


def test_run_may_take_arguments_of_its_own() -> None:
    """Arguments after an empty target go to `run`, are checked, and are params beside the fields."""

    class Scaled(Flow[int]):
        factor: int = 2

        def run(self, x: int, *, offset: int = 0) -> int:
            return self.factor * x + offset

    text: Any = "4"
    made = Scaled().setup(None, text, offset=1).execute()
    assert made.return_value == 9
    assert made.flow_run.params == {"factor": 2, "x": 4, "offset": 1}
    with pytest.raises(TypeError, match="'x'"):
        Scaled().execute()


def test_run_may_ask_for_injected_parameters() -> None:
    """`run` is injected like any flow function, and injected values are not params."""

    class Asking(Flow[bool]):
        def run(self, this_flow: Flow[bool] = INJECTED, flow_data: dict[str, Any] = INJECTED) -> bool:
            return this_flow is self and flow_data is self.flow_data

    made = Asking().execute()
    assert made.return_value is True
    assert made.flow_run.params == {}


class Offering(Flow[tuple[str, str, str]]):
    """A flow whose hook provides names."""

    prefix: str = "p"
    asked: list[str] = Field(default_factory=list)

    def task_dependencies(self) -> Mapping[str, Any]:
        self.asked.append("asked")
        return {"db": f"{self.prefix}-db", "flow_data": "mine"}

    def run(self, db: str = "none", flow_data: Any = INJECTED) -> tuple[str, str, str]:
        return db, flow_data, self.look()

    @task
    def look(self, db: str = INJECTED) -> str:
        return db


def test_the_hook_provides_names_to_flow_and_tasks() -> None:
    """Names of `task_dependencies` are injected in `run` and in tasks, over the built-in names, asked once a run."""
    made = Offering(prefix="x")
    assert made.execute().return_value == ("x-db", "mine", "x-db")
    assert made.asked == ["asked"]
    made.execute()
    assert made.asked == ["asked", "asked"]


def test_what_the_hook_provides_needs_no_default_in_run() -> None:
    """`run` may take a name of `task_dependencies` as a parameter without a default."""

    class Plain(Flow[str]):
        def task_dependencies(self) -> Mapping[str, Any]:
            return {"db": "hooked"}

        def run(self, db: str) -> str:
            return db

    assert Plain().execute().return_value == "hooked"


def test_a_hook_that_raises_fails_the_run() -> None:
    """An exception of `task_dependencies` is the flow's error, like one of its function."""
    boom = RuntimeError("no database")

    class Broken(Flow[None]):
        def task_dependencies(self) -> Mapping[str, Any]:
            raise boom

        def run(self) -> None:
            pytest.fail("ran")

    made = Broken(flow_config=FlowConfig(raise_flow_error=False)).execute()
    assert made.flow_error is boom
    assert made.status is RunStatus.FAILED


def test_the_flow_is_injected_as_the_subclass() -> None:
    """A task parameter annotated with the subclass gets the flow itself, typed; a given flow_name is kept."""
    seen: list[object] = []

    @task
    def look(owner: Ingest = INJECTED) -> None:
        seen.append(owner)

    class Watched(Ingest):
        def run(self) -> int:
            look()
            return 0

    made = Watched(url="u", flow_name="night run").execute()
    assert seen == [made]
    assert made.flow_name == made.flow_run.flow_name == "night run"


def test_a_class_may_fix_config_name_and_tags() -> None:
    """A subclass may change the defaults of the flow's own fields; they are no params."""

    class Quiet(Flow[None]):
        flow_config: FlowConfig = FlowConfig(raise_flow_error=False)
        tags: tuple[str, ...] = ("quiet",)

        def run(self) -> None:
            raise ValueError("kept")

    made = Quiet().execute()
    assert made.status is RunStatus.FAILED
    assert made.flow_run.tags == ("quiet",)
    assert made.flow_run.params == {}


def test_instances_share_nothing() -> None:
    """Two instances have ids, data, records and mutable defaults of their own."""
    one, other = Ingest(url="1").execute(), Ingest(url="2").execute()
    assert one.flow_id != other.flow_id
    assert one.flow_data is not other.flow_data
    assert one.headers is not other.headers
    assert one != other


def test_a_task_method_of_any_flow_knows_its_task_and_flow() -> None:
    """In a method that is a task, `self` is the running flow and `this_task` its call."""

    class Knowing(Flow[bool]):
        def run(self) -> bool:
            return self.check()

        @task
        def check(self, this_task: Task = INJECTED) -> bool:
            return current_flow() is self and this_task.flow is self

    assert Knowing().execute().return_value is True
