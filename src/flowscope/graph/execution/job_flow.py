"""The flow run in which a job_run of a job is recorded."""

import logging
from collections.abc import Collection
from typing import Any

from ..._clock import tick
from ...concurrency.event_loops import cancelled_error
from ...engine.flow_base import state_of
from ...engine.lifecycle.flow_drivers import close_flow, open_flow
from ...engine.lifecycle.flow_lifecycle import end_children_and_providers
from ...engine.lifecycle.steps import perform
from ...engine.lifecycle.task_lifecycle import end_remotely
from ...engine.live import Flow
from ...engine.run.growing_record import GrowingRecord
from ...engine.scope.context import Handle
from ...model.config import FlowConfig
from ...model.records import FlowRun
from ...model.status import RunStatus
from ...serialization.exception_snapshot import Failure
from ..job.activation import Activation, activation_of_scope

__all__ = ["JobFlow"]


class JobFlow:
    """A run that is open until it is closed, from whatever thread."""

    def __init__(self, name: str, config: FlowConfig) -> None:
        self._flow: Flow[Any] = Flow(flow_name=name, flow_config=config)
        self._state = state_of(self._flow)
        self._run = open_flow(self._flow, self._state)
        self._known = GrowingRecord(self._run)

    @property
    def handle(self) -> Handle:
        """What its tasks find it by."""
        return self._run.handle

    @property
    def has_submitted(self) -> bool:
        """Whether tasks that were submitted in it have not ended."""
        return self._run.children is not None and self._run.children.has_open

    def cancel_submitted(self) -> None:
        """Ask those to end."""
        if self._run.children is not None:
            self._run.children.cancel()

    def wind_up(self, error: BaseException | None, *, cancel: bool) -> BaseException | None:
        """Wait for what was submitted, or cancel it; tell what has failed there and was read by nobody."""
        if not cancel:
            return perform(end_children_and_providers(self._run, error))
        perform(end_children_and_providers(self._run, error or cancelled_error()))
        return None

    def cancel_calls(self, activations: Collection[Activation]) -> None:
        """Record the open calls of handlers that were cancelled as such, though they may take their time to end."""
        for call in self._run.calls.all() if activations else ():
            if not call.ended and activation_of_scope(call) in activations:
                end_remotely(call, RunStatus.CANCELLED, None, Failure(cancelled_error()), tick())

    def warn(self, message: str) -> None:
        """Add a warning to the log."""
        self._run.log.add_entry(logging.WARNING, message, None)

    def close(self, error: BaseException | None, status: RunStatus) -> None:
        """End the record."""
        close_flow(self._state, self._run, error, status)

    def checkpoint(self) -> FlowRun[Any]:
        """The record; ended tasks and log entries are the same objects at each call."""
        return self._known.flow_run()

    def record(self) -> FlowRun[Any]:
        """What is known of it."""
        return self._flow.flow_run
