"""The flow runner of worker processes."""

import asyncio
from typing import Any

from ..._clock import anchor, seconds, tick, wall_time
from ...engine.lifecycle.flow_lifecycle import parent_at
from ...engine.live import Flow
from ...engine.scope.context import current
from ...errors import SerializationError, TaskTimeoutError
from ...executors.backends.process_executor import ProcessExecutor
from ...executors.plain_calls import start_plain_call
from ..schedule.outcome import ForcedOutcome, Outcome, never_run, not_started
from .flow_transport import pack_flow, run_packed, unpack_outcome

__all__ = ["InProcess"]


class InProcess:
    """In a worker process, which sends the flow's whole record back."""

    def __init__(self, max_processes: int) -> None:
        self._executor = ProcessExecutor(max_processes)

    async def run(self, flow: Flow[Any], seconds: float | None) -> Outcome:
        """Execute a flow once; the time counts from its start in the worker, which is killed when it is over."""
        try:
            packed = pack_flow(flow)
        except SerializationError as error:
            return not_started(flow, error)
        parent = parent_at(current.get())
        name = flow.flow_name
        started = tick()
        try:
            response = await start_plain_call(self._executor, name, run_packed, name, packed, timeout=seconds)
            return unpack_outcome(name, response, parent)
        except asyncio.CancelledError:
            forced = ForcedOutcome.cancelled("")
        except TaskTimeoutError as error:
            forced = ForcedOutcome.timed_out(name, error.timeout)
        except (Exception, SystemExit) as error:  # an exit of the worker's imports is that of this flow, too
            forced = ForcedOutcome.raised(error)
        return _lost(flow, forced, started)

    def close(self) -> None:
        """End the processes."""
        self._executor.close(wait=False)


def _lost(flow: Flow[Any], forced: ForcedOutcome, started: int) -> Outcome:
    """The outcome of a flow whose process has ended without an outcome."""
    now = tick()
    times = {
        "start_time": wall_time(started, anchor()),
        "end_time": wall_time(now, anchor()),
        "duration": seconds(started, now),
    }
    unrun = never_run(flow.flow_id, flow, forced)
    return Outcome(forced.status, lambda: unrun.record.model_copy(update=times))
