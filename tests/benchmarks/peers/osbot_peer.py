"""The work in OSBot-Utils' flow system."""

from time import perf_counter_ns
from typing import ClassVar

from ..floor import noop, noop_async
from ..measure import allocated
from .peer import TaskPeer

__all__ = ["OSBot"]


class OSBot(TaskPeer):
    """OSBot-Utils, with its default config. It finds the flow of a task by a walk up the call stack."""

    tasks: ClassVar = 200
    flows: ClassVar = 50

    def __init__(self) -> None:
        from osbot_utils.helpers.flows.decorators.flow import flow
        from osbot_utils.helpers.flows.decorators.task import task

        step = task()(noop)
        step_async = task()(noop_async)

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

        self._calls = flow()(calls)
        self._awaits = flow()(awaits)
        self._held = flow()(held)
        self._empty = flow()(empty)

    def sync_task(self, count: int) -> float:
        return float(self._calls(count).execute().flow_return_value)

    def async_task(self, count: int) -> float:
        return float(self._awaits(count).execute().flow_return_value)

    def empty_flow(self, count: int) -> float:
        began = perf_counter_ns()
        for _ in range(count):
            self._empty().execute()
        return (perf_counter_ns() - began) / count

    def task_memory(self, count: int) -> float:
        return float(self._held(count).execute().flow_return_value)
