"""The warnings about flows that are dropped without an execution, and about executions that block an event loop."""

import asyncio
import copy
import gc
import inspect
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial

import pytest

from flowscope import BlockedLoopWarning, Flow, FlowNotExecutedWarning, ParameterError, flow
from flowscope.coordination import FlowCoordinator


@flow
def double(x: int = 1) -> int:
    return 2 * x


@flow
async def double_later(x: int = 1) -> int:
    await asyncio.sleep(0)
    return 2 * x


class Doubler:
    @flow
    def double(self, x: int = 1) -> int:
        return 2 * x

    def __call__(self) -> int:
        return 2


def raise_at_once() -> None:
    raise KeyError("x")


def dropped(make: Callable[[], object]) -> list[warnings.WarningMessage]:
    """The warnings while an object is made and dropped."""
    gc.collect()  # of flows that others have dropped in cycles
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
        gc.collect()
    return caught


@pytest.mark.parametrize(
    ("make", "name", "function"),
    [
        (double, "double", double),
        (double_later, "double_later", double_later),
        (Doubler().double, "double", Doubler.double),
        (flow(partial(raise_at_once)), "raise_at_once", raise_at_once),
        (flow(flow_name="shown")(raise_at_once), "raise_at_once", raise_at_once),
        (flow(Doubler()), "Doubler", Doubler.__call__),
    ],
    ids=["sync", "async", "method", "partial", "named", "object"],
)
def test_a_flow_that_is_dropped_warns(make: Callable[[], object], name: str, function: Callable[..., object]) -> None:
    """The warning names the flow function, its file and line."""
    original = inspect.unwrap(function)
    (warning,) = dropped(make)
    assert warning.category is FlowNotExecutedWarning
    assert issubclass(FlowNotExecutedWarning, RuntimeWarning)
    line = original.__code__.co_firstlineno
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert f"{name!r} ({__file__}, line {line})" in str(warning.message)


def test_each_one_that_is_dropped_warns() -> None:
    """Two flows of one function are two warnings, under the default filter too."""
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            double()
        gc.collect()
    assert len(caught) == 2


def fail() -> None:
    with pytest.raises(KeyError):
        flow(raise_at_once)().execute()


def refuse() -> None:
    bad: object = "no number"
    with pytest.raises(ParameterError):
        double(bad)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] # the mistake under test


def in_block() -> None:
    with double():
        pass


def register() -> None:
    FlowCoordinator().register_flow(double())


def copied() -> None:
    made = double()
    others = copy.copy(made), copy.deepcopy(made)
    made.execute()
    del others


@pytest.mark.parametrize(
    "use",
    [
        lambda: double().execute(),
        lambda: double_later().execute(),
        lambda: double().execute_flow({}),
        lambda: asyncio.run(double().execute_async()),
        lambda: Flow[int]().setup(raise_at_once),
        fail,
        refuse,
        in_block,
        register,
        copied,
    ],
    ids=["sync", "async", "params", "awaited", "by hand", "failing", "refused", "block", "coordinator", "copies"],
)
def test_no_other_flow_warns(use: Callable[[], object]) -> None:
    """An executed one, one in a block or in a coordinator, a copy, one made by hand, and one that could not be made."""
    assert dropped(use) == []


def test_none_warns_at_interpreter_exit() -> None:
    """A flow that lives as long as the interpreter is not dropped by the program."""
    program = "from flowscope import flow\n@flow\ndef f(): pass\nkept = f()\ncycle = [f()]; cycle.append(cycle)\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""


async def test_execute_of_an_async_flow_in_a_loop_warns() -> None:
    """At the line of the user's code; the flow runs all the same."""
    for way in ("execute", "execute_flow"):
        made = double_later(4)
        with pytest.warns(BlockedLoopWarning, match="Await the flow") as caught:
            getattr(made, way)()
        assert [warning.filename for warning in caught] == [__file__]
        assert made.return_value == 8
    assert issubclass(BlockedLoopWarning, RuntimeWarning)


async def test_a_sync_function_that_returns_a_coroutine_warns_too() -> None:
    """Its coroutine blocks the loop as well."""
    with pytest.warns(BlockedLoopWarning):
        assert Flow[int]().setup(lambda: double_later.__wrapped__(1)).execute().return_value == 2  # type: ignore[attr-defined] # a flow function


async def test_no_warning_where_no_loop_is_blocked() -> None:
    """A sync flow, an awaited one, and one in a thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert double(1).execute().return_value == 2
        assert (await double_later(1)).return_value == 2
        made = double_later(1)
        assert (await asyncio.to_thread(made.execute)).return_value == 2
