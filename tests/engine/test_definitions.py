"""Bare and called decorators, partials, names and tags, and what cannot be decorated."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from typing import Any, cast

import pytest

from flowscope import DefinitionError, Flow, FlowConfig, Inject, flow, task


def add(x: int, y: int = 1) -> int:
    """Add."""
    return x + y


def test_both_decorators_work_bare_and_called() -> None:
    """`@task`, `@task()`, `@flow` and `@flow()` do the same."""

    @task
    def bare(x: int) -> int:
        return x

    @task()
    def called(x: int) -> int:
        return x

    @flow
    def bare_flow() -> int:
        return bare(1) + called(2)

    @flow()
    def called_flow() -> int:
        return bare(1) + called(2)

    for made in (bare_flow().execute(), called_flow().execute()):
        assert made.return_value == 3
        assert [t.task_name for t in made.flow_run.tasks] == ["bare", "called"]


async def test_both_decorators_take_async_functions_bare_and_called() -> None:
    """Async functions are decorated in both forms, as flows and as tasks."""

    @task
    async def bare() -> int:
        return 1

    @task()
    async def called() -> int:
        return 2

    @flow
    async def bare_flow() -> int:
        return await bare() + await called()

    @flow()
    async def called_flow() -> int:
        return await bare() + await called()

    assert (await bare_flow()).return_value == (await called_flow()).return_value == 3


def test_names_come_from_the_function_unless_given() -> None:
    """A task is named after its function or by `task_name`, a flow after its function or by `flow_name`."""
    renamed = task(task_name="addition")(add)
    plain = task(add)

    @flow(flow_name="calculation")
    def calculate() -> int:
        return renamed(1) + plain(2)

    made = calculate().execute()
    assert made.flow_name == made.flow_run.flow_name == "calculation"
    assert [t.task_name for t in made.flow_run.tasks] == ["addition", "add"]
    assert flow(add)(1).flow_name == "add"
    assert renamed.__name__ == "add"


def test_ids_are_unique_unless_given() -> None:
    """Flow ids start with `flow-` and task ids with `task-`; no two are alike; a given flow id is kept."""
    adding = task(add)
    many = flow(lambda: [adding(n) for n in range(50)])
    made = [many().execute().flow_run for _ in range(20)]
    flow_ids = {run.flow_id for run in made}
    task_ids = {t.task_id for run in made for t in run.tasks}
    assert len(flow_ids) == 20
    assert len(task_ids) == 1000
    assert all(flow_id.startswith("flow-") for flow_id in flow_ids)
    assert all(task_id.startswith("task-") for task_id in task_ids)
    given = flow(flow_id="nightly-7")(add)(1)
    assert given.flow_id == given.execute().flow_run.flow_id == "nightly-7"


def test_tags_are_in_the_records() -> None:
    """Tags of a flow and of a task are in their records."""
    tagged = task(tags=("io", "slow"))(add)
    made = flow(tags=("nightly",))(lambda: tagged(1))().execute()
    assert made.tags == made.flow_run.tags == ("nightly",)
    assert [t.tags for t in made.flow_run.tasks] == [("io", "slow")]


def test_the_config_of_the_decorator_serves_all_its_flows() -> None:
    """A config given to `@flow` is the one of every flow made, also of several flow functions."""
    config = FlowConfig(raise_flow_error=False)
    one, other = flow(flow_config=config)(add), flow(flow_config=config)(lambda: 1 / 0)
    made: list[Flow[Any]] = [one(1), one(2), other()]
    assert all(each.flow_config is config for each in made)
    assert [each.execute().succeeded for each in made] == [True, True, False]


def joined(left: str, right: str, end: str = "") -> str:
    return left + right + end


async def joined_later(left: str, right: str) -> str:
    await asyncio.sleep(0)
    return left + right


def test_partials_are_named_after_their_function() -> None:
    """A partial, of a partial too, is a flow and a task under the name of the inner function."""
    nested = partial(partial(joined, "a"), end="!")
    made = flow(nested)("b").execute()
    assert (made.flow_name, made.return_value) == ("joined", "ab!")
    tasked = task(nested)
    assert getattr(tasked, "__name__") == "joined"
    inside = flow(lambda: tasked("c"))().execute()
    assert inside.return_value == "ac!"
    assert [t.task_name for t in inside.flow_run.tasks] == ["joined"]


async def test_partials_of_async_functions_are_async() -> None:
    """A partial of an async function is an async task and an async flow."""
    tasked = task(partial(joined_later, "a"))
    assert inspect.iscoroutinefunction(tasked)
    made = Flow[str]().setup(partial(tasked, "b"))
    assert (await made).return_value == "ab"
    assert (await flow(partial(joined_later, "x"))("y")).return_value == "xy"


@pytest.mark.parametrize("decorator", [flow, task, flow(), task()])
@pytest.mark.parametrize("wrapper", [classmethod, staticmethod])
def test_method_decorators_below_are_refused(decorator: Any, wrapper: Callable[..., Any]) -> None:
    """Decorating a `classmethod` or `staticmethod` object is an error that says which order works."""
    with pytest.raises(DefinitionError, match=f"Put @{wrapper.__name__} above"):
        decorator(wrapper(add))


@pytest.mark.parametrize("decorator", [flow, task, flow(), task()])
@pytest.mark.parametrize("target", [dict, Flow, 5, "add"], ids=repr)
def test_what_is_no_function_is_refused(decorator: Any, target: object) -> None:
    """Classes and things that cannot be called are refused where they are decorated, with a `TypeError`."""
    with pytest.raises(DefinitionError) as caught:
        decorator(target)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("define", "told"),
    [
        (lambda: task(dict), "Give one of its methods"),
        (lambda: Inject(object), "Give a function that makes an object of it"),
        (lambda: task(cast("Any", add(1))), "not what a call of it returns"),
        (lambda: Inject(cast("Any", iter([1]))), "not what a call of it returns"),
        (lambda: flow(cast("Any", "nightly")), "by keyword, such as flow_name='nightly'"),
        (lambda: task(cast("Any", "fetch")), "by keyword, such as task_name='fetch'"),
    ],
)
def test_what_is_no_function_is_refused_with_advice(define: Callable[[], object], told: str) -> None:
    """The error says what to give instead of a class, of what a call has returned, and of a bare name."""
    with pytest.raises(DefinitionError, match=told):
        define()


def test_generators_cannot_be_flows() -> None:
    """A generator function of either kind cannot be a flow, and the error says what to do instead."""

    def numbers() -> Iterator[int]:
        yield 1

    async def later() -> AsyncIterator[int]:
        yield 1

    for function in (numbers, later):
        with pytest.raises(DefinitionError, match="task"):
            flow(function)
        with pytest.raises(DefinitionError):
            Flow[None]().setup(function)


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"retries": 1.5},
        {"retry_delay": -0.1},
        {"retry_backoff": -1.0},
        {"retry_delay": float("nan")},
        {"retry_delay": float("inf")},
        {"retry_backoff": float("nan")},
        {"retry_jitter": float("nan")},
        {"retry_jitter": -1.0},
        {"timeout": 0},
        {"timeout": -1.0},
        {"timeout": float("nan")},
        {"retry_on": (KeyboardInterrupt,)},
        {"retry_on": BaseException},
    ],
    ids=str,
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    """Negative numbers, a timeout that is over at once, and retries of interrupts are refused at decoration."""
    with pytest.raises(DefinitionError, match="add"):
        task(**options)(add)


@pytest.mark.parametrize("kinds", [[ValueError], ValueError("x"), (OSError, [ValueError])], ids=repr)
def test_what_cannot_be_retried_on_is_named(kinds: Any) -> None:
    """The error about `retry_on` shows what is no class of exceptions, and what is wanted."""
    with pytest.raises(
        DefinitionError, match=r"retry_on has .*ValueError.*, wanted a subclass of Exception, or a tuple"
    ):
        task(retry_on=kinds)(add)


async def test_an_infinite_timeout_is_refused_or_is_no_limit() -> None:
    """A timeout of infinity does not fail at the call."""

    async def add_later() -> int:
        return add(1)

    try:
        sync_task, async_task = task(timeout=float("inf"))(add), task(timeout=float("inf"))(add_later)
    except DefinitionError:
        return
    async with Flow[None]():
        assert sync_task(1) == await async_task() == 2


@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_a_flow_of_a_function_that_returns_a_coroutine_gives_its_outcome() -> None:
    """A plain function that returns a coroutine is typed as an async flow, and its value is what is awaited."""

    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    @flow
    def indirect(x: int) -> Coroutine[Any, Any, int]:
        return later(x)

    outcomes: list[Any] = [(await indirect(1)).return_value, indirect(2).execute().return_value]
    for outcome in outcomes:
        if inspect.iscoroutine(outcome):
            outcome.close()
    assert outcomes == [2, 3]


def test_builtins_can_be_tasks_and_flows() -> None:
    """A builtin function, also one without a signature, can be a task and a flow."""
    largest, length = task(max), flow(len)
    made = flow(lambda: largest(3, 7))().execute()
    assert made.return_value == 7
    assert [t.task_name for t in made.flow_run.tasks] == ["max"]
    assert length([1, 2]).execute().return_value == 2


@pytest.mark.parametrize(
    "name", ["self", "target", "spec", "call", "args", "kwargs", "function", "timeout", "error", "flow", "value"]
)
@pytest.mark.parametrize("options", [{}, {"timeout": 5.0}, {"validate": True}, {"retries": 1}], ids=str)
async def test_parameters_may_have_any_name(name: str, options: dict[str, Any]) -> None:
    """A parameter may be called as the library calls its own, given by keyword, in tasks and flows of each kind."""

    def plain(**named: int) -> dict[str, int]:
        return named

    async def later(**named: int) -> dict[str, int]:
        return named

    decorator: Any = task
    sync_task, async_task = decorator(**options)(plain), decorator(**options)(later)
    assert flow(plain)(**{name: 1}).execute().return_value == {name: 1}
    assert (await flow(later)(**{name: 1})).return_value == {name: 1}
    async with Flow[None]():
        assert sync_task(**{name: 2}) == {name: 2}
        assert await async_task(**{name: 2}) == {name: 2}
