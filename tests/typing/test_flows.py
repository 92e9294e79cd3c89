"""What `@flow` makes of a function: the same parameters, and a `Flow` of what it returns."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from typing_extensions import assert_type

from flowscope import (
    INJECTED,
    Artifact,
    Durations,
    Flow,
    FlowCancelledError,
    FlowConfig,
    FlowRun,
    LogEntry,
    Result,
    RunStatus,
    Subscription,
    Task,
    TaskDurations,
    flow,
)

T = TypeVar("T")


@flow
def bare(x: int, *, suffix: str = "") -> str:
    return f"{x}{suffix}"


@flow()
def called(x: int, *, suffix: str = "") -> str:
    return f"{x}{suffix}"


@flow
async def bare_async(x: int) -> str:
    return str(x)


@flow()
async def called_async(x: int) -> str:
    return str(x)


@flow(flow_name="named", flow_id=None, flow_config=FlowConfig(print_logs=False), validate=False, tags=("a",))
async def with_options(x: int) -> str:
    return str(x)


@flow(tags="nightly")
def with_one_tag(x: int) -> str:
    return str(x)


@flow
def procedure() -> None:
    """Do nothing."""


def test_calling_a_flow_function_gives_a_flow() -> None:
    """Bare or called, sync or async, with options or without: the same parameters, and `Flow[R]`."""
    assert_type(bare(1, suffix="!"), Flow[str])
    assert_type(bare(x=1), Flow[str])
    assert_type(called(1, suffix="!"), Flow[str])
    assert_type(bare_async(1), Flow[str])
    assert_type(called_async(1), Flow[str])
    assert_type(with_options(1), Flow[str])
    assert_type(with_one_tag(1), Flow[str])
    assert with_one_tag(1).tags == ("nightly",)
    assert_type(procedure(), Flow[None])


def test_an_executed_flow_has_the_return_value() -> None:
    """`execute()` returns the flow, and `return_value` has the type of what the function returns."""
    executed = assert_type(bare(1).execute(), Flow[str])
    assert assert_type(executed.return_value, str) == "1"
    assert assert_type(bare_async(1).execute_flow({"reason": "test"}).return_value, str) == "1"
    made = procedure().execute()
    assert_type(made.return_value, None)


async def test_awaiting_a_flow_gives_the_flow() -> None:
    """`await flow`, of sync and async functions, is the flow, executed."""
    assert assert_type(await bare_async(1), Flow[str]).succeeded
    assert assert_type(await bare(1), Flow[str]).succeeded
    assert assert_type((await called_async(1)).return_value, str) == "1"
    assert assert_type(await bare_async(1).execute_async({"reason": "test"}), Flow[str]).succeeded
    assert assert_type(await bare_async(1).execute_async(), Flow[str]).return_value == "1"


async def test_asyncio_keeps_the_types_of_flows() -> None:
    """A flow is an awaitable: it goes through `gather` and `wait_for` with its type."""
    one, two = assert_type(await asyncio.gather(bare_async(1), bare(2)), tuple[Flow[str], Flow[str]])
    assert (one.return_value, two.return_value) == ("1", "2")
    assert assert_type(await asyncio.wait_for(bare_async(1), 30), Flow[str]).succeeded
    async with asyncio.TaskGroup() as group:
        started = assert_type(group.create_task(bare_async(1).execute_async()), asyncio.Task[Flow[str]])
    assert started.result().return_value == "1"


async def test_a_with_block_gives_the_flow() -> None:
    """`with flow as run` and `async with flow as run` give the flow itself."""
    with bare(1) as run:
        assert_type(run, Flow[str])
    async with bare_async(1) as run_async:
        assert_type(run_async, Flow[str])
    with Flow() as anonymous:
        assert_type(anonymous, Flow[Any])


def test_a_block_does_not_swallow_exceptions_for_type_checkers() -> None:
    """What follows a `with` block that returns is known not to be reached: the block swallows nothing."""

    def inside() -> int:
        with Flow():
            return 1

    assert assert_type(inside(), int) == 1


def test_a_flow_may_be_set_up_by_hand() -> None:
    """`Flow[R]().setup(function, …)` is a `Flow[R]`; without a parameter it is a `Flow[Any]`."""
    assert assert_type(Flow[int]().setup(len, "abc"), Flow[int]).execute().return_value == 3
    assert_type(Flow().setup(len, "abc"), Flow[Any])
    assert_type(Flow().setup(len, "abc").execute().return_value, Any)


def test_a_generic_flow_stays_generic() -> None:
    """Type variables of the function are solved at each call."""

    @flow
    def first(items: Sequence[T]) -> list[T]:
        return [items[0]]

    @flow(flow_name="last")
    async def last(items: Sequence[T]) -> T:
        return items[-1]

    assert assert_type(first([1, 2]), Flow[list[int]]).execute().return_value == [1]
    assert assert_type(last(["a", "b"]).execute().return_value, str) == "b"


def test_a_flow_that_returns_a_bare_type_variable_needs_pyright() -> None:
    """mypy solves the variable with a coroutine, because `@flow` tries async functions first; pyright does not."""

    @flow
    def first(items: Sequence[T]) -> T:
        return items[0]

    made = first([1, 2])  # type: ignore[arg-type, var-annotated] # the docstring says why
    value: int = made.execute().return_value
    assert value == 1


def test_a_flow_function_goes_wherever_a_callable_goes() -> None:
    """It is a callable from the function's parameters to the flow."""
    make: Callable[[int], Flow[str]] = bare_async
    assert [made.execute().return_value for made in map(make, [1, 2])] == ["1", "2"]


def test_setting_up_returns_the_flow() -> None:
    """Methods that can be chained return the flow with its type."""
    assert_type(bare(1).provide(database=1), Flow[str])
    assert_type(bare(1).execute().print_log_messages(), Flow[str])
    with assert_type(bare(1).add_listener(print), Subscription) as subscription:
        assert_type(subscription, Subscription)


def test_what_can_be_asked_of_a_flow_is_typed() -> None:
    """Each attribute and method has the type that the reference names."""
    made = bare(1)
    assert_type(made.flow_id, str)
    assert_type(made.flow_name, str)
    assert_type(made.flow_config, FlowConfig)
    assert_type(made.tags, tuple[str, ...])
    assert_type(made.flow_data, dict[str, Any])
    assert_type(made.status, RunStatus)
    made.execute()
    assert_type(made.succeeded, bool)
    assert_type(made.flow_error, BaseException | None)
    assert_type(made.executed_tasks, Sequence[Task])
    assert_type(made.log_messages(), list[str])
    assert_type(made.captured_logs(), list[LogEntry])
    assert_type(made.durations(), Durations)
    assert_type(made.durations_with_tasks_status(), TaskDurations)
    assert_type(made.flow_output(), dict[str, Any])
    assert_type(made.flow_run, FlowRun[str])
    assert_type(made.flow_run.return_value, str | None)


def test_what_a_flow_records_is_typed() -> None:
    """Artifacts and results come back as their records."""
    with Flow() as run:
        assert assert_type(run.add_flow_artifact("a plot", "plot", b"", "image/png"), Artifact).key == "plot"
        assert assert_type(run.add_flow_result("rows", "how many", 3), Result).value == 3
        run.log_debug("a")
        run.log_info("b")
        run.log_warning("c")
        run.log_error("d")


def test_cancelling_and_the_default_config_are_typed() -> None:
    """`cancel` says whether it is not too late, and its error leads to a record."""

    @flow
    def withdraw(this_flow: Flow[int] = INJECTED) -> int:
        assert_type(this_flow.cancel("why"), bool)
        return 1

    try:
        withdraw().execute()
    except FlowCancelledError as error:
        assert_type(error.flow_run, FlowRun[Any] | None)
        assert_type((error.flow_id, error.reason), tuple[str, str])
