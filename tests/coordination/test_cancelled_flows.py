"""`flow.cancel()` of a flow that a coordinator runs."""

import asyncio
import threading

import pytest

from flowscope import Flow, FlowCancelledError, task
from flowscope.coordination import FlowCoordinator, FlowType


@task
def step() -> None:
    """A task."""


async def hold(begun: threading.Event) -> None:
    begun.set()
    await asyncio.Event().wait()


def busy(begun: threading.Event) -> None:
    while True:
        step()
        begun.set()


@pytest.mark.parametrize("kind", ["inline", "thread", "sync thread"])
async def test_its_outcome_is_a_cancellation(kind: str) -> None:
    """It is not retried, and the other flows go on."""
    begun = threading.Event()
    made = Flow[None](flow_name="held").setup(busy if kind == "sync thread" else hold, begun)
    other = Flow[int](flow_name="other").setup(lambda: 1)
    coordinator = FlowCoordinator()
    place = FlowType.INLINE if kind == "inline" else FlowType.THREAD
    held_id = coordinator.register_flow(made, flow_type=place, retries=3)
    other_id = coordinator.register_flow(other)
    execution = asyncio.create_task(coordinator.execute_all())
    await asyncio.to_thread(begun.wait)
    assert made.cancel("enough")
    records = await execution
    assert (records[held_id].status, records[other_id].status) == ("cancelled", "completed")
    error = records[held_id].error
    assert error is not None
    assert (error.type, "enough" in error.message) == ("FlowCancelledError", True)
    assert isinstance(made.flow_error, FlowCancelledError)
