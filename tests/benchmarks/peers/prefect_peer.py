"""The work in Prefect."""

import asyncio
import os
from importlib import import_module
from time import perf_counter_ns
from typing import Any, ClassVar, Final

from ..floor import noop, noop_async
from ..measure import allocated
from .peer import TaskPeer

__all__ = ["Prefect"]

_SETTINGS: Final = {
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}


class Prefect(TaskPeer):
    """Prefect, with a temporary server on this machine, as it starts one where none is configured."""

    tasks: ClassVar = 20
    flows: ClassVar = 2

    def __init__(self) -> None:
        os.environ.update(_SETTINGS)
        os.environ.pop("PREFECT_API_URL", None)
        prefect: Any = import_module("prefect")
        step = prefect.task(noop)
        step_async = prefect.task(noop_async)

        def calls(count: int) -> float:
            began = perf_counter_ns()
            for number in range(count):
                step(number)
            return (perf_counter_ns() - began) / count

        async def awaits(count: int) -> float:
            began = perf_counter_ns()
            for number in range(count):
                await step_async(number)
            return (perf_counter_ns() - began) / count

        def held(count: int) -> float:
            before = allocated()
            for _ in range(count):
                step(1)
            return (allocated() - before) / count

        def empty() -> None: ...

        self._calls = prefect.flow(calls)
        self._awaits = prefect.flow(awaits)
        self._held = prefect.flow(held)
        self._empty = prefect.flow(empty)

    def sync_task(self, count: int) -> float:
        return float(self._calls(count))

    def async_task(self, count: int) -> float:
        return float(asyncio.run(self._awaits(count)))

    def empty_flow(self, count: int) -> float:
        began = perf_counter_ns()
        for _ in range(count):
            self._empty()
        return (perf_counter_ns() - began) / count

    def task_memory(self, count: int) -> float:
        return float(self._held(count))
