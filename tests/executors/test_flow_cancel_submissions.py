"""`flow.cancel()` ends what the flow has submitted, wherever that runs."""

import asyncio
import threading
from typing import Any

import pytest

from flowscope import Flow, FlowCancelledError, RunStatus, map_tasks, submit, use_executor
from support.executors.gate import Gate
from support.executors.structures import statuses
from support.executors.task_forms import FORMS, PLACES, Tasks


@PLACES
@FORMS
@pytest.mark.parametrize("way", ["result", "mapped", "end", "awaited"])
async def test_submitted_calls_are_cancelled_with_the_flow(place: Any, tasks: Tasks, gate: Gate, way: str) -> None:
    """A flow that waits for a call, maps over items, has returned or awaits gets out of that wait."""

    def body() -> None:
        futures = [submit(tasks.hold, gate.address) for _ in range(2)]
        if way == "result":
            futures[0].result()

    def mapping() -> None:
        list(map_tasks(tasks.hold, [gate.address] * 2))

    async def awaiting() -> None:
        await asyncio.gather(*[submit(tasks.hold, gate.address) for _ in range(2)])

    made = Flow[None]().setup({"mapped": mapping, "awaited": awaiting}.get(way, body))
    outcomes: list[BaseException] = []

    def execute() -> None:
        try:
            with use_executor(place):
                made.execute()
        except BaseException as error:
            outcomes.append(error)

    thread = threading.Thread(target=execute)
    thread.start()
    await asyncio.to_thread(gate.wait_for, 1)
    assert made.cancel("enough")
    await asyncio.to_thread(thread.join)
    (error,) = outcomes
    assert isinstance(error, FlowCancelledError)
    assert (error.reason, made.status) == ("enough", RunStatus.CANCELLED)
    assert set(statuses(made)) == {RunStatus.CANCELLED}
