"""The flow runners of this process: the running event loop, and a thread."""

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

from ...concurrency.event_loops import cancel_task, run_in_new_loop
from ...engine.live import Flow
from ..schedule.outcome import ForcedOutcome, Outcome, broken_off, ended
from .flow_internals import is_async

__all__ = ["InThread", "Inline"]


class Inline:
    """In the running event loop; a sync flow in its thread."""

    async def run(self, flow: Flow[Any], seconds: float | None) -> Outcome:
        """Execute a flow once."""
        return await _within(seconds, flow, self._execute(flow))

    async def _execute(self, flow: Flow[Any]) -> Outcome:
        try:
            await flow.execute_async()
        except KeyboardInterrupt as error:
            outcome = ended(flow, error)
            outcome.interrupt = error
        except BaseException as error:
            outcome = ended(flow, error)
        else:
            outcome = ended(flow, None)
        return outcome


class InThread:
    """In a daemon thread of its own, with a copy of the context."""

    async def run(self, flow: Flow[Any], seconds: float | None) -> Outcome:
        """Execute a flow once."""
        return await _within(seconds, flow, self._execute(flow))

    async def _execute(self, flow: Flow[Any]) -> Outcome:
        execution = _ThreadExecution(flow)
        try:
            return await asyncio.wrap_future(execution.start())
        except asyncio.CancelledError:
            execution.abandon()
            return broken_off(flow)


async def _within(seconds: float | None, flow: Flow[Any], execution: Coroutine[Any, Any, Outcome]) -> Outcome:
    """The outcome of an execution that is cancelled at its deadline."""
    if seconds is None:
        return await execution
    async with asyncio.timeout(seconds) as deadline:
        outcome = await execution
    return outcome.under(ForcedOutcome.timed_out(flow.flow_name, seconds)) if deadline.expired() else outcome


class _ThreadExecution:
    """One execution of a flow in a thread."""

    def __init__(self, flow: Flow[Any]) -> None:
        self._flow = flow
        self._outcome: Future[Outcome] = Future()
        self._outcome.set_running_or_notify_cancel()  # so that it cannot be cancelled by who waits
        self._task: asyncio.Task[Any] | None = None
        self._abandoned = False

    def start(self) -> Future[Outcome]:
        """Begin, and return what will be the outcome."""
        context = contextvars.copy_context()
        name = f"flowscope flow {self._flow.flow_name}"
        threading.Thread(target=context.run, args=(self._work,), name=name, daemon=True).start()
        return self._outcome

    def _work(self) -> None:
        flow = self._flow
        if self._abandoned:
            return
        try:
            run_in_new_loop(self._awaited) if is_async(flow) else flow.execute()
        except BaseException as error:
            outcome = ended(flow, error)
        else:
            outcome = ended(flow, None)
        self._outcome.set_result(outcome)

    async def _awaited(self) -> None:
        self._task = asyncio.current_task()
        if self._abandoned:
            raise asyncio.CancelledError
        await self._flow.execute_async()

    def abandon(self) -> None:
        """Wait no more; an async flow is cancelled in its own loop, a sync one cannot be stopped."""
        self._abandoned = True
        if self._task is not None:
            cancel_task(self._task)
