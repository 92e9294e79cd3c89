"""The choice of the flow runner of each flow."""

from ..schedule.options import FlowType
from ..schedule.registration import Registration
from .flow_internals import is_async
from .flow_runner import FlowRunner
from .local import Inline, InThread
from .process import InProcess

__all__ = ["RunnerSelection"]


class RunnerSelection:
    """The flow runners of one coordinator."""

    def __init__(self, max_processes: int) -> None:
        self._inline = Inline()
        self._in_thread = InThread()
        self._in_process = InProcess(max_processes)

    def runner_for(self, registration: Registration) -> FlowRunner:
        """The runner of a flow; an inline sync one with a timeout in a thread, so that the deadline holds."""
        if registration.flow_type is FlowType.PROCESS:
            return self._in_process
        if registration.flow_type is FlowType.THREAD:
            return self._in_thread
        held = registration.timeout is not None and not is_async(registration.flow)
        return self._in_thread if held else self._inline

    def close(self) -> None:
        """End the worker processes."""
        self._in_process.close()
