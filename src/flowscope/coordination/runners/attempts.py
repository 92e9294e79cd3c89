"""Running one flow to its outcome: its attempts."""

import asyncio

from ...engine.live import Flow
from ...errors import AlreadyRunningError
from ...model.status import FAILED, RunStatus
from ..schedule.outcome import ENDED, ForcedOutcome, Outcome, never_run, not_started
from ..schedule.registration import Registration
from ..schedule.scheduler import Inputs
from .flow_internals import clone_for_retry
from .flow_runner import FlowRunner

__all__ = ["run_flow"]


async def run_flow(registration: Registration, inputs: Inputs, runner: FlowRunner) -> Outcome:
    """Execute a flow, and again while it fails and has retries left."""
    flow = registration.flow
    outcome = await _attempt(flow, registration, inputs, runner)
    attempt = 1
    while outcome.status in FAILED and registration.retry.allows_after(attempt) and await _may_go_on():
        if flow.status not in ENDED:  # it was left behind, or another process has run it
            flow = clone_for_retry(flow)
        outcome = await _attempt(flow, registration, inputs, runner)
        attempt += 1
    return outcome


async def _attempt(flow: Flow[object], registration: Registration, inputs: Inputs, runner: FlowRunner) -> Outcome:
    timeout = registration.timeout
    if timeout == 0:
        return never_run(registration.flow_id, flow, ForcedOutcome.timed_out(flow.flow_name, timeout))
    if flow.status is RunStatus.RUNNING:
        return not_started(flow, AlreadyRunningError(f"flow {flow.flow_name!r}", flow.status))
    flow.provide(**{"upstream": dict(inputs.upstream), **inputs.params})
    return await runner.run(flow, timeout)


async def _may_go_on() -> bool:
    """Let others have a turn; whether nobody has asked this task to end."""
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        return False
    return True
