"""One call of `execute_flow` or `execute_all`: it starts the requested flows in its event loop, and waits."""

import asyncio
import contextvars
from collections.abc import Iterable

from ..concurrency.event_loops import in_loop
from .runners.scheduled_run import ScheduledRun
from .runners.selection import RunnerSelection
from .schedule.coordinator_state import CoordinatorState
from .schedule.outcome import ForcedOutcome
from .schedule.registration import Registration
from .schedule.scheduler import ExecutionRequest, Inputs
from .wait_cycles import enter, refuse_waiting_for_itself

__all__ = ["Execution"]


class Execution(ExecutionRequest):
    """A request of this event loop for flows, with the context in which they run."""

    def __init__(self, state: CoordinatorState, runners: RunnerSelection) -> None:
        self._state = state
        self._runners = runners
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._woken = False
        super().__init__(self._loop)

    async def run(self, flow_ids: Iterable[str]) -> None:
        """Run flows with whatever they still depend on, and wait until all of these have settled.

        Where this is cancelled, what runs for nobody else is cancelled, and waited for.

        Raises:
            CoordinationError: A running flow would wait for itself.
        """
        self._state.request(self, flow_ids)
        try:
            refuse_waiting_for_itself(self._state.token, self.wanted.keys())
            self._state.start_ready(self._loop)
            await self._state.satisfied(self)
        except BaseException as error:
            orphans = self._stop()
            if not isinstance(error, GeneratorExit):  # a coroutine that is being closed can wait for nothing
                await self._until_ended(orphans)
            raise
        self._state.withdraw(self)

    def wake(self) -> None:
        """Start soon what may start, in the loop, if that is not closed."""
        if not self._woken:
            self._woken = True
            in_loop(self._loop, self._start_ready)

    def _start_ready(self) -> None:
        self._woken = False
        self._state.start_ready(self._loop)

    def start(self, registration: Registration, inputs: Inputs) -> None:
        """Run a flow."""
        context = enter(self._context.copy(), (self._state.token, registration.flow_id))
        ScheduledRun(self._state, registration, inputs, self._runners, context)

    def _stop(self) -> list[str]:
        """Withdraw, and cancel the flows that only this execution wanted; return their ids."""
        orphans = self._state.withdraw(self)
        for flow_id in orphans:
            self._state.force_outcome(flow_id, ForcedOutcome.cancelled("the execution was cancelled"))
        return orphans

    async def _until_ended(self, orphans: list[str]) -> None:
        """Wait for the end of flows, also when the wait is cancelled."""
        waiting = self._state.watch(orphans)
        while waiting.missing:
            try:
                await waiting.wait()
            except asyncio.CancelledError:  # the flows are cancelled already
                continue
