"""The run of a flow that a schedule has started: an asyncio task that settles it, and that any thread can stop."""

import asyncio
import contextvars
from typing import Any

from ...concurrency.event_loops import cancel_task
from ..schedule.coordinator_state import CoordinatorState
from ..schedule.options import FlowType
from ..schedule.outcome import ForcedOutcome, Outcome, broken_off, never_run
from ..schedule.registration import Registration
from ..schedule.scheduler import Inputs
from .attempts import run_flow
from .flow_internals import is_async
from .selection import RunnerSelection

__all__ = ["ScheduledRun"]


class ScheduledRun:
    """Runs one flow in the running event loop."""

    __slots__ = ("_inputs", "_loop", "_registration", "_runners", "_state", "_task")

    def __init__(
        self,
        state: CoordinatorState,
        registration: Registration,
        inputs: Inputs,
        runners: RunnerSelection,
        context: contextvars.Context,
    ) -> None:
        self._state = state
        self._registration = registration
        self._inputs = inputs
        self._runners = runners
        self._loop = asyncio.get_running_loop()
        name = f"flowscope flow {registration.flow.flow_name}"
        self._task = self._loop.create_task(self._run(), name=name, context=context)
        self._task.add_done_callback(self._ended)
        state.running(registration.flow_id, self.stop)

    def stop(self) -> None:
        """Ask the flow to end, from any thread; one that cannot be interrupted is left behind."""
        cancel_task(self._task)
        if self._blocks or not self._loop.is_running():  # then the task learns of it only when the function has ended
            self._settle(broken_off(self._registration.flow))

    @property
    def _blocks(self) -> bool:
        inline = self._registration.flow_type is FlowType.INLINE and self._registration.timeout is None
        return inline and not is_async(self._registration.flow)

    async def _run(self) -> None:
        outcome = await run_flow(self._registration, self._inputs, self._runners.runner_for(self._registration))
        self._settle(outcome)
        if outcome.interrupt is not None:
            raise outcome.interrupt

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """Settle a flow whose task has ended without an outcome, so that no waiter waits for ever."""
        flow_id, flow = self._registration.flow_id, self._registration.flow
        error = None if task.cancelled() else task.exception()
        forced = ForcedOutcome.cancelled("") if error is None else ForcedOutcome.raised(error)
        self._settle(never_run(flow_id, flow, forced))

    def _settle(self, outcome: Outcome) -> None:
        self._state.settle(self._registration.flow_id, outcome)
