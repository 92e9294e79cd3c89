"""From an exception that a flow has raised to the record of its run."""

import asyncio
import gc
import pickle
from typing import Any

import pytest

from flowscope import Flow, FlowConfig, FlowRun, flow, task


class Own(Exception):
    """An exception that pickles."""


@task
def fail() -> None:
    """Raise."""
    raise Own("it failed")


@flow
def sync_flow() -> None:
    """Fail."""
    fail()


@flow
async def async_flow() -> None:
    """Fail."""
    await asyncio.sleep(0)
    fail()


@flow
def outer() -> None:
    """Fail with the error of another flow."""
    sync_flow().execute()


@flow(flow_config=FlowConfig(raise_flow_error=False))
def quiet() -> None:
    """Fail, and raise nothing."""
    fail()


async def _awaited() -> None:
    await async_flow()


def _in_block() -> None:
    with Flow(flow_name="block") as made:
        KEPT.append(made)
        fail()


KEPT: list[Flow[Any]] = []

WAYS: dict[str, Any] = {
    "sync_flow": lambda: sync_flow().execute(),
    "async_flow": lambda: asyncio.run(_awaited()),
    "outer": lambda: outer().execute(),
    "block": _in_block,
}


@pytest.mark.parametrize("name", WAYS)
def test_the_record_of_the_outermost_flow_is_found(name: str) -> None:
    """Sync, async, nested, and a block."""
    with pytest.raises(Own) as caught:
        WAYS[name]()
    record = FlowRun.from_error(caught.value)
    assert record is not None
    assert (record.flow_name, record.status) == (name, "failed")
    assert record.tasks or name == "outer"
    KEPT.clear()


def test_an_error_that_a_flow_keeps_leads_to_its_record() -> None:
    """It need not have been raised."""
    executed = quiet().execute()
    assert executed.flow_error is not None
    record = FlowRun.from_error(executed.flow_error)
    assert record is not None
    assert record.flow_id == executed.flow_id


def test_causes_and_members_of_groups_are_searched() -> None:
    """The nearest flow comes first, also in a circle of causes."""
    error = _caught()
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = ExceptionGroup("group", [LookupError("other"), error])
    record = FlowRun.from_error(wrapped)
    assert record is not None
    assert record.flow_name == "sync_flow"
    circle = ValueError("circle")
    circle.__cause__ = RuntimeError("other")
    circle.__cause__.__cause__ = circle
    assert FlowRun.from_error(circle) is None


def test_the_error_of_an_earlier_execution_leads_nowhere() -> None:
    """The flow has the record of another run by then."""
    executed = quiet().execute()
    error = executed.flow_error
    executed.execute()
    assert error is not None
    assert FlowRun.from_error(error) is None
    assert executed.flow_error is not None
    assert FlowRun.from_error(executed.flow_error) is not None


def test_an_exception_holds_nothing_of_its_flow() -> None:
    """Neither its attributes, nor what is pickled; without its traceback the flow is freed."""
    error = _caught()
    assert vars(error).keys() <= {"__notes__"}
    assert FlowRun.from_error(pickle.loads(pickle.dumps(error))) is None
    error.__traceback__ = None
    gc.collect()
    assert FlowRun.from_error(error) is None


def test_an_error_of_no_flow_has_no_record() -> None:
    """Also one in whose place in memory an error of a flow was."""
    assert FlowRun.from_error(ValueError("none")) is None
    for _ in range(200):
        assert FlowRun.from_error(ValueError("none")) is None
        _caught()


def _caught() -> Own:
    try:
        sync_flow().execute()
    except Own as error:
        return error
    raise AssertionError
