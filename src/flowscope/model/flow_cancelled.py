"""The error of a flow that was cancelled, which leads to the record of its run."""

from collections.abc import Callable
from typing import Any, Protocol

from ..errors import FlowscopeError
from .records import FlowRun

__all__ = ["CancelledFlow", "FlowCancelledError"]


class CancelledFlow(Protocol):
    """A live flow whose latest run was cancelled."""

    @property
    def flow_error(self) -> BaseException | None:
        """The error of its latest run."""
        ...

    @property
    def flow_run(self) -> FlowRun[Any]:
        """The record of its latest run."""
        ...


class FlowCancelledError(FlowscopeError, RuntimeError):
    """A flow was cancelled with `Flow.cancel`.

    Attributes:
        flow_id: The id of the run that was cancelled.
        reason: The text that was given to `cancel`; may be empty.
    """

    __slots__ = ("_find_flow",)  # no attribute that is pickled

    def __init__(self, flow_id: str, reason: str = "") -> None:
        super().__init__(flow_id, reason)
        self.flow_id = flow_id
        self.reason = reason
        self._find_flow: Callable[[], CancelledFlow | None] = _gone

    def refer_to(self, find_flow: Callable[[], CancelledFlow | None]) -> None:
        """Refer to the flow, weakly."""
        self._find_flow = find_flow

    @property
    def flow_run(self) -> FlowRun[Any] | None:
        """The record of the run; None if the flow is gone or has been executed again, and after pickling."""
        flow = self._find_flow()
        return flow.flow_run if flow is not None and flow.flow_error is self else None

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return (
            f"flow {self.flow_id!r} was cancelled{reason}. Catch FlowCancelledError where the flow is executed, or set "
            "raise_flow_error=False."
        )


def _gone() -> None:
    """There is no flow in this process."""
