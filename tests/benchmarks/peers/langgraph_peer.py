"""The work in LangGraph's functional API."""

import asyncio
from importlib import import_module
from time import perf_counter_ns
from typing import Any, ClassVar

from ..floor import noop, noop_async
from ..measure import allocated
from .peer import TaskPeer

__all__ = ["LangGraph"]


class LangGraph(TaskPeer):
    """LangGraph, without a checkpointer. A sync task runs in a thread pool, and its caller waits for the result."""

    tasks: ClassVar = 500
    flows: ClassVar = 100

    def __init__(self) -> None:
        functional = import_module("langgraph.func")
        entrypoint: Any = functional.entrypoint
        task: Any = functional.task
        step = task(noop)
        step_async = task(noop_async)

        def calls(count: int) -> float:
            began = perf_counter_ns()
            for number in range(count):
                step(number).result()
            return (perf_counter_ns() - began) / count

        async def awaits(count: int) -> float:
            began = perf_counter_ns()
            for number in range(count):
                await step_async(number)
            return (perf_counter_ns() - began) / count

        def held(count: int) -> float:
            before = allocated()
            for _ in range(count):
                step(1).result()
            return (allocated() - before) / count

        def empty(count: int) -> None: ...

        self._calls = entrypoint()(calls)
        self._awaits = entrypoint()(awaits)
        self._held = entrypoint()(held)
        self._empty = entrypoint()(empty)

    def sync_task(self, count: int) -> float:
        return float(self._calls.invoke(count))

    def async_task(self, count: int) -> float:
        return float(asyncio.run(self._awaits.ainvoke(count)))

    def empty_flow(self, count: int) -> float:
        began = perf_counter_ns()
        for _ in range(count):
            self._empty.invoke(1)
        return (perf_counter_ns() - began) / count

    def task_memory(self, count: int) -> float:
        return float(self._held.invoke(count))
