"""What a flow provides to its function and its tasks, and what nobody provides."""

from collections.abc import Mapping
from typing import Any

import pytest

from flowscope import INJECTED, Flow, FlowConfig, InjectionError, RunStatus, flow, task


def test_what_is_provided_is_injected_by_name() -> None:
    """`provide` returns the flow and makes names injectable in its function and its tasks, over their defaults."""

    @task
    def query(sql: str, db: str = "default", retries: int = 1) -> tuple[str, str, int]:
        return sql, db, retries

    @flow
    def run(db: str = "default") -> tuple[str, tuple[str, str, int], tuple[str, str, int]]:
        return db, query("q"), query("q", "explicit")

    made = run()
    assert made.provide(db="provided") is made
    assert made.provide(retries=3) is made
    assert made.execute().return_value == ("provided", ("q", "provided", 3), ("q", "explicit", 3))
    assert run().execute().return_value == ("default", ("q", "default", 1), ("q", "explicit", 1))


def test_provided_values_win_over_built_in_names_and_markers() -> None:
    """A provided name replaces a built-in one of the same name, by name and by type, and is the very object."""
    mine = object()

    @task
    def look(flow_data: Any = INJECTED, this_task: Any = INJECTED, owner: Flow[Any] = INJECTED) -> list[object]:
        return [flow_data, this_task, owner]

    with Flow[None]().provide(flow_data=mine, this_task=None, owner="o"):
        assert look() == [mine, None, "o"]


def test_something_may_be_provided_while_the_flow_runs() -> None:
    """What is provided during the run is injected from then on."""

    @task
    def look(tool: str = "none") -> str:
        return tool

    with Flow[None]() as made:
        assert look() == "none"
        made.provide(tool="hammer")
        assert look() == "hammer"


def test_the_hook_and_provide_go_together() -> None:
    """What `task_dependencies` and `provide` offer reaches tasks alike."""

    class Hooked(Flow[list[str]]):
        def task_dependencies(self) -> Mapping[str, Any]:
            return {"a": "hook"}

        def run(self) -> list[str]:
            return [look_ab()]

    @task
    def look_ab(a: str = "-", b: str = "-") -> str:
        return a + b

    assert Hooked().provide(b="provided").execute().return_value == ["hookprovided"]


def test_a_name_nobody_provides_raises_at_the_call() -> None:
    """`INJECTED` for an unknown name raises `InjectionError`, naming function and parameter, as a recorded failure."""

    @task
    def using(tool: str = INJECTED) -> str:
        return tool

    @task(raise_on_error=False)
    async def tolerant(tool: str = INJECTED) -> str:
        return tool

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def run(tool: str = INJECTED) -> None: ...

    with (
        Flow[None]() as made,
        pytest.raises(InjectionError, match=r"using.*'tool'.*provide.*or make it with Inject") as caught,
    ):
        using()
    assert isinstance(caught.value, TypeError)
    assert made.flow_run.tasks[0].status is RunStatus.FAILED
    assert using.__name__ == "using"
    ran = run().execute()
    assert isinstance(ran.flow_error, InjectionError)
    assert run().provide(tool="t").execute().succeeded


def test_injected_values_are_no_inputs() -> None:
    """Params and recorded inputs show what the caller gave, and nothing that was injected."""

    @task
    def step(x: int, db: str = "d", this_task: Any = INJECTED, flow_data: Any = None) -> None: ...

    @flow
    def run(x: int, y: int = 2, tool: str = INJECTED, this_flow: Any = None) -> None:
        step(x, flow_data=None)
        step(x)

    made = run(1).provide(tool="t", db="provided").execute()
    assert made.flow_run.params == {"x": 1, "y": 2}
    assert [(t.input_args, t.input_kwargs) for t in made.flow_run.tasks] == [([1], {"flow_data": None}), ([1], {})]


def test_a_default_is_no_input_where_something_else_was_provided() -> None:
    """The record shows what was passed, and the defaults that the function got; before, during and after the run."""

    @flow
    def look(x: int, db: object = None, y: int = 2) -> object:
        return db

    made = look(1).provide(db=5, other=6)
    assert made.flow_run.params == {"x": 1, "y": 2}
    assert made.execute().flow_run.params == {"x": 1, "y": 2}
    assert look(1, None).provide(db=5).execute().flow_run.params == {"x": 1, "db": None, "y": 2}
    assert look(1).execute().flow_run.params == {"x": 1, "db": None, "y": 2}

    class Hooked(Flow[object]):
        n: int = 3

        def task_dependencies(self) -> dict[str, Any]:
            return {"db": 9}

        def run(self, db: object = None) -> object:
            return db

    hooked = Hooked().setup().execute()
    assert hooked.return_value == 9
    assert hooked.flow_run.params == {"n": 3}


def test_what_is_provided_in_a_block_reaches_the_execution_in_it() -> None:
    """It is the same run; the hook is asked once, and what the block was given is gone after it."""
    asked: list[int] = []

    class Hooked(Flow[object]):
        def task_dependencies(self) -> dict[str, Any]:
            asked.append(1)
            return {"url": "u"}

        def run(self, db: object = None, url: object = None) -> object:
            return db, url

    made = Hooked().setup()
    with made:
        made.provide(db=7)
        made.execute()
    assert made.return_value == (7, "u")
    assert made.flow_run.params == {}
    assert len(asked) == 1
    assert made.execute().return_value == (None, "u")


def test_providing_in_one_flow_does_not_reach_another() -> None:
    """What a flow provides is not injected in flows nested in it, nor in other flows of the same function."""

    @task
    def look(tool: str = "none") -> str:
        return tool

    with Flow[None]().provide(tool="hammer"):
        with Flow[None]():
            assert look() == "none"
        assert look() == "hammer"


def test_what_is_provided_before_setup_needs_no_default() -> None:
    """A flow that provides a name may be set up with a function that requires it."""

    def work(tool: str) -> str:
        return tool

    assert Flow[str]().provide(tool="hammer").setup(work).execute().return_value == "hammer"
    with pytest.raises(TypeError, match="tool"):
        Flow[str]().setup(work)


def test_names_of_any_kind_can_be_provided() -> None:
    """A provided name may be one that the library's own methods use for their parameters."""

    @task
    def look(name: str = "", dependencies: int = 0, value: int = 0, flow: int = 0) -> tuple[str, int, int, int]:
        return name, dependencies, value, flow

    with Flow[None]().provide(name="n", dependencies=1, value=2, flow=3):
        assert look() == ("n", 1, 2, 3)


def test_checked_tasks_take_what_is_provided_as_it_is() -> None:
    """A checked task checks what its caller gives; what is injected arrives as the very object."""
    tool = object()

    @task(validate=True)
    def use(count: int, tool: str = INJECTED) -> tuple[int, object]:
        return count, tool

    text: Any = "3"
    with Flow[None]().provide(tool=tool):
        assert use(text) == (3, tool)
