"""A first flow: an ordinary function whose call is recorded."""

from typing import Any, cast

import pytest

from flowscope import Flow, NotExecutedError, ParameterError, RunStatus, flow


def test_calling_a_flow_function_sets_a_flow_up() -> None:
    """Calling a flow function runs nothing; `execute()` does, and returns the same flow."""
    called: list[str] = []

    @flow
    def greet(name: str) -> str:
        called.append(name)
        return f"Hello, {name}"

    run = greet("Ada")
    assert called == []
    assert run.status == "pending"

    assert run.execute() is run
    assert called == ["Ada"]
    assert run.status == "completed"
    assert run.return_value == "Hello, Ada"


def test_the_value_comes_back_as_the_very_object() -> None:
    """The return value is the object that the function returned, not a copy."""
    basket = ["apple"]

    @flow
    def pack() -> list[str]:
        return basket

    assert pack().execute().return_value is basket


def test_there_is_no_value_before_the_end() -> None:
    """A flow that has not been executed has no return value, and says what to do."""

    @flow
    def greet(name: str) -> str:
        return f"Hello, {name}"

    with pytest.raises(NotExecutedError, match="Execute it first"):
        _ = greet("Ada").return_value


def test_the_run_is_recorded() -> None:
    """The record has the name, the inputs, the outcome and the times of the run."""

    @flow
    def add(left: int, right: int = 1) -> int:
        return left + right

    record = add(2).execute().flow_run
    assert record.flow_name == "add"
    assert record.flow_id.startswith("flow-")
    assert record.params == {"left": 2, "right": 1}
    assert record.return_value == 3
    assert record.status is RunStatus.COMPLETED
    assert record.start_time is not None
    assert record.end_time is not None
    assert record.start_time <= record.end_time
    assert record.duration >= 0.0


def test_arguments_are_checked_at_the_boundary() -> None:
    """An argument that fits after coercion is coerced; one that does not fit is refused before anything runs."""

    @flow
    def add(left: int, right: int = 1) -> int:
        return left + right

    from_a_form = cast("Any", "41")
    assert add(from_a_form).execute().return_value == 42

    with pytest.raises(ParameterError, match="bad value for parameter 'left', of type str"):
        add(cast("Any", "many"))


def test_executing_again_is_another_run() -> None:
    """A second execution of the same flow starts a fresh record with a new id."""

    @flow
    def add(left: int, right: int = 1) -> int:
        return left + right

    run = add(2).execute()
    first = run.flow_run
    second = run.execute().flow_run
    assert first.flow_id != second.flow_id
    assert first.return_value == second.return_value == 3


def test_any_function_can_be_set_up_by_hand() -> None:
    """Without the decorator, `setup` chooses what a flow runs."""

    def add(left: int, right: int) -> int:
        return left + right

    run: Flow[int] = Flow(flow_name="sum")
    run.setup(add, 1, right=2).execute()
    assert run.return_value == 3
    assert run.flow_run.flow_name == "sum"
