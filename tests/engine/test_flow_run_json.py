"""The JSON straight from the run is that of the record."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, model_serializer

from flowscope import Flow, FlowConfig, FlowRun, flow, submit, task


class Writing(BaseModel):
    """A class with a say in its JSON."""

    text: str = "open"

    @model_serializer
    def written(self) -> dict[str, str]:
        """Under the name of a secret."""
        return {"token": self.text}


class Hostile:
    """A class that cannot be compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = object.__hash__


LEAVES: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**5_000), max_value=10**5_000)
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.datetimes()
    | st.decimals()
    | st.sampled_from([Writing(), Hostile(), object(), "\ud800", '"\\\x00\u2028', {"password": "x"}, ("token", "x")])
)
VALUES: Final = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.binary() | st.integers() | st.none(), inner) | st.tuples(inner)
    ),
    max_leaves=8,
)


@task(tags=("a", 'b"'))
def step(value: Any, password: Any = None, **more: Any) -> Any:
    """Give the value back."""
    return value


@flow(validate=False)
def work(values: list[Any]) -> list[Any]:
    """Call tasks with values, in all ways."""
    for value in values:
        step(value)
        step(value, value)
        step(value=value, other=value)
    return values


def check(run: Flow[Any]) -> FlowRun[Any]:
    """The record from `flow_run_json`, which says what the record says."""
    text, expected = run.flow_run_json(), run.flow_run.model_dump_json()
    assert json.loads(text) == json.loads(expected)
    assert list(json.loads(text)) == list(json.loads(expected))
    for own, other in zip(json.loads(text)["tasks"], json.loads(expected)["tasks"], strict=True):
        assert list(own) == list(other)
    loaded: FlowRun[Any] = FlowRun.model_validate_json(text)
    assert loaded == FlowRun.model_validate_json(expected)
    return loaded


@given(st.lists(VALUES, max_size=4))
def test_it_says_what_the_record_says_of_any_values(values: list[Any]) -> None:
    """Strange text, numbers, bytes, keys, classes and secrets."""
    check(work(values).execute())


def listed(value: Any) -> Any:
    """A list around a value."""
    return [value]


def mixed(value: Any) -> Any:
    """A list, a dict and a tuple around a value, with a secret beside it."""
    return [{"inner": (value, {"password": "open-sesame"})}]


def declared(value: Any) -> Any:
    """A list around a value, with a class that has a say in its JSON."""
    return [value, Writing()]


@pytest.mark.parametrize("wrap", [listed, mixed, declared])
@pytest.mark.parametrize("depth", [30, 33, 97, 98, 99, 100, 101, 150])
def test_it_cuts_deep_values_where_the_record_does(wrap: Callable[[Any], Any], depth: int) -> None:
    """Arguments by position count the list that they stand in, as those by name count their dict."""
    value: Any = "bottom"
    for _ in range(depth):
        value = wrap(value)
    check(work([value]).execute())


def test_it_says_what_few_tasks_have() -> None:
    """Failures, attempts, executors, parents, tasks that are open at the end."""

    @task(retries=1, raise_on_error=False)
    def broken(value: int) -> int:
        raise ValueError(value)

    @task(executor="thread")
    def elsewhere(value: int) -> int:
        return value

    @task
    def outer() -> None:
        broken(1)
        submit(elsewhere, 2).result()

    @task
    async def endless() -> None:
        await asyncio.Event().wait()

    @flow(tags=("t",), flow_config=FlowConfig(capture_events=True))
    async def work() -> str:
        outer()
        print("line")
        waiting = asyncio.ensure_future(endless())
        await asyncio.sleep(0)
        waiting.cancel()
        return "end"

    check(work().execute())


@pytest.mark.parametrize("config", [FlowConfig(add_task_to_self=False), FlowConfig(redact=()), FlowConfig(max_logs=1)])
def test_it_obeys_the_config(config: FlowConfig) -> None:
    """What is not kept, masked or limited in the record is not in its JSON."""
    check(Flow[Any](flow_config=config).setup(lambda: [step({"password": "x"}), step(2)]).execute())


def test_a_flow_that_was_not_executed_has_one() -> None:
    """The JSON of a pending record."""
    assert check(work([1])).status == "pending"


def test_a_record_of_a_failed_flow_has_its_error() -> None:
    """The flow's own error, and no value."""

    @flow(flow_config=FlowConfig(raise_flow_error=False))
    def failing() -> None:
        step(1)
        raise KeyError("x")

    error = check(failing().execute()).error
    assert error is not None
    assert error.type == "KeyError"
