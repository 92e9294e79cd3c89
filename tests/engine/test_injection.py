"""Parameters that the caller leaves out: filled by name, by type and by what the flow provides."""

from collections.abc import Callable
from functools import partial
from typing import Any, Optional

import pytest

from flowscope import (
    INJECTED,
    Flow,
    Inject,
    InjectionError,
    RunStatus,
    Task,
    current_flow,
    current_task,
    flow,
    task,
)


def test_the_built_in_names_of_flows() -> None:
    """A flow function is given `this_flow` and `flow_data` by name, with or without a default."""

    def plain(this_flow: Any, flow_data: Any) -> bool:
        return this_flow is current_flow() and flow_data is this_flow.flow_data

    @flow
    def marked(x: int, this_flow: Flow[bool] = INJECTED, *, flow_data: dict[str, Any] = INJECTED) -> bool:
        return this_flow is current_flow() and flow_data is this_flow.flow_data and x == 1

    assert Flow[bool]().setup(plain).execute().return_value is True
    assert marked(1).execute().return_value is True


def test_the_built_in_names_of_tasks() -> None:
    """A task function is also given `this_task` and `task_data`."""

    @task
    def look(
        this_flow: Any = None, this_task: Any = None, task_data: Any = None, *, flow_data: Any = None
    ) -> tuple[bool, bool, bool, bool]:
        return (
            this_flow is current_flow(),
            this_task is current_task(),
            task_data is current_task().task_data,
            flow_data is current_flow().flow_data,
        )

    with Flow[None]():
        assert look() == (True, True, True, True)


async def test_async_functions_are_injected_alike() -> None:
    """Async flows and tasks are given the same names."""

    @task
    async def look(n: int, this_task: Task = INJECTED) -> tuple[int, str]:
        return n, this_task.task_name

    @flow
    async def run(this_flow: Flow[Any] = INJECTED) -> tuple[bool, tuple[int, str]]:
        return this_flow is current_flow(), await look(3)

    assert (await run()).return_value == (True, (3, "look"))


def test_task_names_mean_nothing_in_flows() -> None:
    """In a flow function `this_task` and `task_data` are ordinary parameters."""

    @flow
    def run(this_task: str = "mine", task_data: str = "too") -> tuple[str, str]:
        return this_task, task_data

    made = run().execute()
    assert made.return_value == ("mine", "too")
    assert made.flow_run.params == {"this_task": "mine", "task_data": "too"}


def test_parameters_are_filled_by_type() -> None:
    """A parameter annotated `Flow`, `Flow[...]`, `Task`, or an optional of them, is filled, whatever its name."""

    @task
    def look(
        a: Flow = INJECTED,
        b: Flow[int] = INJECTED,
        c: Flow[Any] | None = None,
        d: Optional[Task] = None,
        *,
        e: Task = INJECTED,
    ) -> bool:
        return a is b is c is current_flow() and d is e is current_task()

    @flow
    def run(mine: Flow[bool] = INJECTED) -> bool:
        return mine is current_flow() and look()

    assert run().execute().return_value is True


class Special(Flow[object]):
    """A flow of a class of its own."""

    def run(self) -> object:
        return needs_special()


@task
def needs_special(owner: Special = INJECTED) -> object:
    return owner


@task
def likes_special(owner: Special | None = None) -> object:
    return owner


def test_a_subclass_of_flow_is_filled_where_it_runs() -> None:
    """A parameter of a flow subclass gets that flow; another flow is refused, or leaves the default."""
    made = Special().execute()
    assert made.return_value is made
    with Flow[None]():
        assert likes_special() is None
        with pytest.raises(InjectionError, match="Special"):
            needs_special()


def test_an_explicit_argument_always_wins() -> None:
    """A given argument is passed on, by position or name, None and other flows included."""

    @task
    def look(this_flow: Any = INJECTED, flow_data: Any = INJECTED, mine: Flow[Any] | None = INJECTED) -> list[object]:
        return [this_flow, flow_data, mine]

    other = Flow[Any]()
    with Flow[None]().provide(flow_data="provided") as made:
        assert look("a", None, other) == ["a", None, other]
        assert look(flow_data=0, mine=None) == [made, 0, None]
        assert look("a") == ["a", "provided", made]


def test_an_explicit_argument_of_a_flow_wins() -> None:
    """An argument given to a flow function for an injectable parameter is used, and recorded."""

    @flow
    def run(flow_data: dict[str, int] = INJECTED) -> dict[str, int]:
        return flow_data

    mine = {"a": 1}
    made = run(mine).execute()
    assert made.return_value is mine
    assert made.flow_run.params == {"flow_data": {"a": 1}}


def test_nothing_goes_into_collected_arguments() -> None:
    """`*args` and `**kwargs` receive nothing, whatever they are called and whatever is provided."""

    @task
    def starred(*this_flow: object, **flow_data: object) -> tuple[tuple[object, ...], dict[str, object]]:
        return this_flow, flow_data

    @flow
    def run(*flow_data: Any, **this_flow: Any) -> tuple[Any, Any]:
        return flow_data, this_flow

    with Flow[None]().provide(x=1, this_task=2):
        assert starred() == ((), {})
        assert starred(1, a=2) == ((1,), {"a": 2})
    assert run().provide(x=1).execute().return_value == ((), {})


def test_keyword_only_and_positional_only_parameters_are_filled() -> None:
    """Injection fills parameters of every kind."""

    @task
    def only(x: int, this_flow: Any = INJECTED, /, *, this_task: Any = INJECTED) -> tuple[int, bool, bool]:
        return x, this_flow is current_flow(), this_task is current_task()

    @task
    def behind(x: int = 5, this_flow: Any = INJECTED, y: int = 6, flow_data: Any = INJECTED, /) -> list[Any]:
        return [x, this_flow is current_flow(), y, flow_data is current_flow().flow_data]

    @task
    def first(this_flow: Any, /, x: int = 7) -> tuple[bool, int]:
        return this_flow is current_flow(), x

    with Flow[None]():
        assert only(3) == (3, True, True)
        assert behind() == [5, True, 6, True]
        assert behind(1) == [1, True, 6, True]
        assert behind(1, 2) == [1, False, 6, True]
        call: Any = first
        assert call() == (True, 7)
        assert call(x=8) == (True, 8)


def test_injection_in_front_of_ordinary_parameters() -> None:
    """A parameter in front is filled when the others are given by name."""

    @task
    def front(this_task: Task, x: int, y: int = 2) -> tuple[str, int, int]:
        return this_task.task_name, x, y

    call: Any = front
    with Flow[None]():
        assert call(x=1) == ("front", 1, 2)
        with pytest.raises(TypeError):
            call()


def test_partials_methods_and_callable_objects_are_injected() -> None:
    """Injection fills what a partial leaves open, and the parameters of methods and of `__call__`."""

    def plain(x: int, y: int, this_task: Task = INJECTED) -> tuple[int, int, str]:
        return x, y, this_task.task_name

    class Tool:
        @task
        def use(self, x: int, this_task: Task = INJECTED) -> tuple[int, str]:
            return x, this_task.task_name

        def __call__(self, this_flow: Flow[Any] = INJECTED) -> Flow[Any]:
            return this_flow

    part: Callable[..., tuple[int, int, str]] = task(partial(plain, 1, y=2))
    with Flow[None]() as made:
        assert part() == (1, 2, "plain")
        assert Tool().use(4) == (4, "use")
        assert task(Tool())() is made
    own = Flow[Any]().setup(Tool()).execute()
    assert own.return_value is own


def test_what_a_partial_has_given_is_not_replaced() -> None:
    """By name, by type or by what is provided; a later argument wins, and a marker is filled."""

    def look(x: int, flow_data: Any = None, who: Task | None = None, db: object = None) -> object:
        return flow_data, who, db

    given = partial(partial(look, 1, flow_data="data"), who=None, db="mine")
    made = flow(given)().provide(db="theirs", x=2).execute()
    assert made.return_value == ("data", None, "mine")
    assert made.flow_run.params == {"flow_data": "data", "who": None, "db": "mine"}
    assert flow(given)(db="explicit").provide(db="theirs").execute().return_value == ("data", None, "explicit")
    step = task(given)
    assert flow(lambda: step())().provide(db="theirs").execute().return_value == ("data", None, "mine")
    marked = flow(partial(look, 1, db=Inject(lambda: "made")))().execute()
    assert marked.return_value == (marked.flow_data, None, "made")
    assert marked.flow_run.params == {"who": None}


def test_without_injection_a_missing_argument_is_an_ordinary_error() -> None:
    """A missing argument that nothing injects is Python's `TypeError`, recorded on the task."""

    @task
    def needs(x: int) -> None: ...

    call: Any = needs
    with Flow[None]() as made, pytest.raises(TypeError, match="x"):
        call()
    assert made.flow_run.tasks[0].status is RunStatus.FAILED


def test_the_marker_shows_itself() -> None:
    """`INJECTED` has a readable `repr`, as in signatures."""
    assert repr(INJECTED) == "INJECTED"
