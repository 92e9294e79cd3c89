"""Flows of all four kinds that submit, for the tests of what a flow and its children owe each other."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flowscope import (
    Flow,
    FlowConfig,
    RunStatus,
    use_executor,
)

from .gate import Gate
from .scenarios import stepped

BLOCKS = pytest.mark.parametrize("block", ["execute", "await", "with", "async with"])


Body = Callable[[], Awaitable[Any]]


def run(block: str, body: Body, place: Any = "thread", *, raises: bool = False) -> Flow[Any]:
    """Run a body, which awaits nothing, as a flow of one of the four kinds, and return the flow, whatever it raises."""
    made = Flow[Any](flow_config=FlowConfig(raise_flow_error=raises))

    def sync_body() -> Any:
        return stepped(body())

    async def async_with() -> None:
        async with made:
            await body()

    with use_executor(place):
        if block == "execute":
            made.setup(sync_body).execute()
        elif block == "await":
            made.setup(body).execute()
        elif block == "with":
            with made:
                sync_body()
        else:
            asyncio.run(async_with())
    return made


def statuses(made: Flow[Any]) -> list[RunStatus]:
    """Those of its tasks."""
    return [task.status for task in made.flow_run.tasks]


def let_go_later(gate: Gate, count: int = 1) -> threading.Thread:
    """Open the gate for so many, one by one, from another thread."""

    def work() -> None:
        for _ in range(count):
            gate.wait_for()[0].let_go()

    thread = threading.Thread(target=work)
    thread.start()
    return thread
