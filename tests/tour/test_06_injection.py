"""Injection: parameters that the flow fills in, by name, by type or from a provider."""

from collections.abc import Iterator
from typing import Any

from flowscope import INJECTED, Flow, Inject, Task, flow, task


def test_flows_and_tasks_share_a_dictionary() -> None:
    """A parameter named `flow_data` is the flow's shared dictionary; `task_data` belongs to one call."""

    @task
    def remember(word: str, flow_data: dict[str, Any] = INJECTED, task_data: dict[str, Any] = INJECTED) -> None:
        assert task_data == {}
        task_data["seen"] = True
        flow_data.setdefault("words", []).append(word)

    @flow
    def collect(flow_data: dict[str, Any] = INJECTED) -> list[str]:
        remember("one")
        remember("two")
        words: list[str] = flow_data["words"]
        return words

    assert collect().execute().return_value == ["one", "two"]


def test_the_live_objects_are_injected_by_type() -> None:
    """A parameter annotated `Flow` or `Task` is the running one, whatever its name."""

    @task
    def step(me: Task = INJECTED, run: Flow = INJECTED) -> str:
        return f"{me.task_name} in {run.flow_name}"

    @flow
    def work() -> str:
        return step()

    assert work().execute().return_value == "step in work"


def test_a_flow_provides_what_its_tasks_need() -> None:
    """`provide()` makes values injectable by name; an explicit argument always wins."""

    @task
    def price(amount: int, rate: float = INJECTED) -> float:
        return amount * rate

    @flow
    def invoice(amount: int) -> tuple[float, float]:
        return price(amount), price(amount, rate=1.0)

    run = invoice(100).provide(rate=0.5).execute()
    assert run.return_value == (50.0, 100.0)


def test_injected_values_are_not_inputs() -> None:
    """The recorded inputs of a call are what its caller gave."""

    @task
    def price(amount: int, rate: float = INJECTED) -> float:
        return amount * rate

    @flow
    def invoice(amount: int) -> float:
        return price(amount)

    (call,) = invoice(100).provide(rate=0.5).execute().flow_run.tasks
    assert (call.input_args, call.input_kwargs) == ([100], {})


def test_a_provider_opens_and_closes_a_resource() -> None:
    """A provider is a function or a generator; what follows the `yield` runs when the call has ended."""
    happened: list[str] = []

    def connect() -> Iterator[str]:
        happened.append("open")
        try:
            yield "connection"
        finally:
            happened.append("close")

    @task
    def query(text: str, connection: str = Inject(connect)) -> str:
        happened.append(text)
        return f"{text} on {connection}"

    @flow
    def work() -> list[str]:
        return [query("first"), query("second")]

    assert work().execute().return_value == ["first on connection", "second on connection"]
    assert happened == ["open", "first", "close", "open", "second", "close"]


def test_one_resource_for_the_whole_run() -> None:
    """With `scope="flow"` a provider is opened once, at the first use, and closed when the flow has ended."""
    happened: list[str] = []

    def connect() -> Iterator[str]:
        happened.append("open")
        try:
            yield "connection"
        finally:
            happened.append("close")

    @task
    def query(text: str, connection: str = Inject(connect, scope="flow")) -> None:
        happened.append(f"{text} on {connection}")

    @flow
    def work() -> None:
        query("first")
        query("second")

    work().execute()
    assert happened == ["open", "first on connection", "second on connection", "close"]
