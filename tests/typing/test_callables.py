"""Partials, callable objects, lambdas, builtins and bound methods as flows and tasks; `bind_context`; tasks by hand."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from typing_extensions import assert_type

from flowscope import Flow, RunStatus, Task, bind_context, flow, task


def render(number: int, unit: str) -> bytes:
    return f"{number} {unit}".encode()


async def render_async(number: int, unit: str) -> bytes:
    return f"{number} {unit}".encode()


class Renderer:
    """A callable object with a method."""

    unit = "m"

    def __call__(self, number: int) -> str:
        return f"{number} {self.unit}"

    def method(self, number: int) -> str:
        return f"{number} {self.unit}"


class AsyncRenderer:
    """An object that is called and awaited."""

    async def __call__(self, number: int) -> str:
        return str(number)


async def test_partials_are_typed() -> None:
    """A partial gives what its function returns."""
    with Flow():
        assert assert_type(task(partial(render, 1))("m"), bytes) == b"1 m"
        assert assert_type(task(partial(render, unit="m"))(1), bytes) == b"1 m"
        assert assert_type(await task(partial(render_async, 1))("m"), bytes) == b"1 m"
        assert assert_type(task(task_name="one")(partial(render, 1))("m"), bytes) == b"1 m"
        assert assert_type(task(raise_on_error=False)(partial(render, 1))("m"), bytes | None) == b"1 m"
    assert assert_type(flow(partial(render, 1))("m"), Flow[bytes]).execute().return_value == b"1 m"
    assert assert_type(flow(flow_name="one")(partial(render_async, 1))("m"), Flow[bytes]).flow_name == "one"


@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_callable_objects_are_typed() -> None:
    """An object with `__call__` is called as before, and as a flow gives a `Flow`."""
    with Flow():
        assert assert_type(task(Renderer())(1), str) == "1 m"
        assert assert_type(await task(AsyncRenderer())(1), str) == "1"
        assert assert_type(task(raise_on_error=False)(Renderer())(1), str | None) == "1 m"
        assert assert_type(await task(raise_on_error=False)(AsyncRenderer())(1), str | None) == "1"
    assert assert_type(flow(Renderer())(1), Flow[str]).execute().return_value == "1 m"
    assert assert_type(flow(AsyncRenderer())(number=1), Flow[str]).execute().return_value == "1"


def test_bound_methods_lambdas_and_builtins_are_typed() -> None:
    """Whatever else can be called is typed too."""
    double: Callable[[int], int] = lambda number: number * 2  # noqa: E731 - the lambda is what is tested
    with Flow():
        assert assert_type(task(Renderer().method)(number=1), str) == "1 m"
        assert assert_type(task(double)(2), int) == 4
        assert assert_type(task(len)("abc"), int) == 3
    assert assert_type(flow(Renderer().method)(1), Flow[str]).execute().return_value == "1 m"
    assert assert_type(flow(double)(2), Flow[int]).execute().return_value == 4
    assert assert_type(flow(len)("abc"), Flow[int]).execute().return_value == 3


def test_a_bound_function_keeps_its_type() -> None:
    """`bind_context` gives a function of the same parameters and return type."""

    @task
    def step(number: int, *, unit: str = "m") -> str:
        return f"{number} {unit}"

    @task
    async def step_async(number: int) -> str:
        return str(number)

    def items(count: int) -> Iterator[int]:
        yield from range(count)

    @flow
    async def work() -> list[str]:
        bound = bind_context(step)
        bound_async = bind_context(step_async)
        assert assert_type(list(bind_context(items)(1)), list[int]) == [0]
        return [
            assert_type(bound(1, unit="s"), str),
            assert_type(await bound_async(2), str),
            assert_type(await asyncio.to_thread(bound, 3), str),
        ]

    assert work().execute().return_value == ["1 s", "2", "3 m"]


async def test_a_task_by_hand_is_typed_where_it_can_be() -> None:
    """A `Task` is made of any callable; its value is `Any`, its state is typed."""
    by_hand = Task(render, 1, unit="m")
    with Flow() as run:
        assert assert_type(by_hand.execute_sync(), Any) == b"1 m"
        assert assert_type(await Task(render_async, 1, "m").execute_async(), Any) == b"1 m"
        assert assert_type(by_hand.flow, Flow[Any]) is run
    assert_type(by_hand.task_id, str)
    assert_type(by_hand.task_name, str)
    assert_type(by_hand.raise_on_error, bool)
    assert_type(by_hand.status, RunStatus)
    assert_type(by_hand.attempt, int)
    assert_type(by_hand.remaining, float | None)
    assert_type(by_hand.task_data, dict[str, Any])
    assert_type(by_hand.task_return_value, Any)
    assert_type(by_hand.task_error, BaseException | None)


def test_a_task_by_hand_is_configured_by_attributes() -> None:
    """`task_name` and `raise_on_error` take values of their types."""
    by_hand = Task(render, 1, unit="m")
    by_hand.task_name = "by hand"
    by_hand.raise_on_error = False
    assert (by_hand.task_name, by_hand.raise_on_error) == ("by hand", False)
