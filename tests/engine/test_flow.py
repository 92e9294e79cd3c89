"""Setting a flow up, executing it, and asking how it went."""

import asyncio
import threading
from typing import Any

import pytest
from pydantic import ValidationError

from flowscope import (
    Flow,
    FlowConfig,
    FlowscopeError,
    NotSetUpError,
    RunStatus,
    flow,
    task,
)


@task
def double(x: int) -> int:
    return 2 * x


@flow
def doubled(x: int) -> int:
    return double(x)


@flow
async def doubled_later(x: int) -> int:
    await asyncio.sleep(0)
    return double(x)


def test_calling_runs_nothing_and_executing_returns_the_same_flow() -> None:
    """A flow function only sets up; `execute` runs, and returns the very flow it was called on."""
    ran: list[int] = []

    @flow
    def noted(x: int) -> None:
        ran.append(x)

    made = noted(3)
    assert ran == []
    assert made.status is RunStatus.PENDING
    assert made.execute() is made
    assert ran == [3]
    assert made.succeeded


@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_every_way_of_executing_returns_the_same_flow() -> None:
    """`await flow`, `execute_async`, `execute_flow` and `execute` all return the flow, sync or async."""
    for made in (doubled(4), doubled_later(4)):
        assert await made is made
        assert await made.execute_async() is made
        assert made.execute_flow() is made
        assert made.execute() is made
        assert made.return_value == 8


def test_a_sync_flow_runs_in_the_callers_thread() -> None:
    """A sync flow's function runs in the thread that executes it."""

    @flow
    def where() -> int:
        return threading.get_ident()

    assert where().execute().return_value == threading.get_ident()


async def test_awaiting_runs_in_this_thread_and_this_loop() -> None:
    """An awaited flow runs in the caller's thread, sync or async, and an async one in the caller's loop."""

    @flow
    def sync_place() -> int:
        return threading.get_ident()

    @flow
    async def async_place() -> tuple[int, asyncio.AbstractEventLoop]:
        return threading.get_ident(), asyncio.get_running_loop()

    assert (await sync_place()).return_value == threading.get_ident()
    assert (await async_place()).return_value == (threading.get_ident(), asyncio.get_running_loop())


def test_executing_an_async_flow_uses_a_new_loop_in_this_thread() -> None:
    """Without a running loop, `execute` of an async flow runs here, in a loop of its own each time, then closed."""

    @flow
    async def place() -> tuple[int, asyncio.AbstractEventLoop]:
        return threading.get_ident(), asyncio.get_running_loop()

    first_thread, first_loop = place().execute().return_value
    second_thread, second_loop = place().execute().return_value
    assert first_thread == second_thread == threading.get_ident()
    assert first_loop is not second_loop
    assert first_loop.is_closed()
    assert second_loop.is_closed()


@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_executing_an_async_flow_inside_a_loop_runs_it_in_another_thread() -> None:
    """Where a loop is running, `execute` of an async flow runs to the end in a new loop in a new thread."""

    @flow
    async def place() -> tuple[int, asyncio.AbstractEventLoop]:
        await asyncio.sleep(0)
        return threading.get_ident(), asyncio.get_running_loop()

    thread, loop = place().execute().return_value
    assert thread != threading.get_ident()
    assert loop is not asyncio.get_running_loop()


def test_without_a_setup_there_is_nothing_to_execute() -> None:
    """A plain flow that was not set up raises `NotSetUpError`, a `ValueError` that says so."""
    bare = Flow[None]()
    with pytest.raises(NotSetUpError, match="setup has not been called") as caught:
        bare.execute()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, FlowscopeError)
    assert bare.status is RunStatus.PENDING


async def test_awaiting_without_a_setup_raises_too() -> None:
    """`await` and `execute_async` of a flow that was not set up raise like `execute`."""
    with pytest.raises(NotSetUpError):
        await Flow[None]()
    with pytest.raises(NotSetUpError):
        await Flow[None]().execute_async()


def test_setup_without_a_target_runs_the_base_main() -> None:
    """`Flow().setup()` runs `main()`, which returns None."""
    made = Flow[None]().setup()
    assert made.execute() is made
    assert made.return_value is None
    assert made.succeeded


def test_setup_takes_any_function_and_its_arguments() -> None:
    """`setup` returns the flow, and gives positional and keyword arguments to the function."""

    def joined(left: str, *, right: str) -> str:
        return left + right

    made = Flow[str]()
    assert made.setup(joined, "a", right="b") is made
    assert made.flow_name == "joined"
    assert made.execute().return_value == "ab"
    assert made.flow_run.params == {"left": "a", "right": "b"}


def test_a_later_setup_replaces_an_earlier_one() -> None:
    """The last `setup` before an execution is the one that counts."""
    made = Flow[int]().setup(lambda: 1).setup(abs, -2)
    assert made.execute().return_value == 2


def test_fields_of_a_flow_are_checked() -> None:
    """A flow's own fields are checked when it is made and when they are assigned."""
    wrong: Any = 5
    with pytest.raises(ValidationError):
        Flow[None](flow_config=wrong)
    made = Flow[None](flow_config=FlowConfig(log_level="INFO"))
    with pytest.raises(ValidationError):
        made.flow_config = wrong
    assert made.flow_config.log_level == "INFO"


def test_flows_are_equal_only_to_themselves() -> None:
    """Two flows of the same function and arguments differ, and flows can be kept in sets."""
    one, other = doubled(1), doubled(1)
    assert one != other
    assert one == one  # noqa: PLR0124 - that is the claim
    assert len({one, other, one}) == 2
