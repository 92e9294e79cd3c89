"""Resolves injected parameters: of a call of a task, or of the flow's own function."""

import logging
from collections.abc import Mapping
from typing import Any

from ...errors import NoActiveFlowError
from ...serialization.exception_snapshot import summary_of
from ..scope.call import Call
from ..scope.context import Handle

__all__ = ["CallResolver", "task_data"]


class CallResolver:
    """The sources of injected values of one call."""

    __slots__ = ("_call", "_handle")

    def __init__(self, handle: Handle, call: Call | None) -> None:
        self._handle = handle
        self._call = call

    @property
    def provided(self) -> Mapping[str, Any]:
        """The values that the flow provides, by name."""
        return self._handle.provided

    @property
    def loop(self) -> object:
        """The event loop that lasts as long as the flow; None without one."""
        run = self._handle.run
        return None if run is None else run.loop or run.surrounding_loop

    def named(self, name: str) -> object:
        """The value of a built-in name."""
        if name == "this_task":
            return self._call
        if name == "task_data" and self._call is not None:
            return task_data(self._call)
        flow = self._handle.find_flow()
        if flow is None:
            raise NoActiveFlowError(f"parameter {name!r}", self._handle.flow_name)
        return flow if name == "this_flow" else flow.flow_data

    def report(self, message: str, error: BaseException) -> None:
        """Log an error that does not end the call."""
        run = self._handle.run
        if run is not None:
            run.log.add_entry(logging.ERROR, f"{message}: {summary_of(error, run.redactor)}", self._call)


def task_data(call: Call) -> dict[str, Any]:
    """The dictionary of one call."""
    if call.data is None:
        call.data = {}
    return call.data
