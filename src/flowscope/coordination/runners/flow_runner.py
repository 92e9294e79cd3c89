"""The port of the places in which flows are executed."""

from typing import Any, Protocol

from ...engine.live import Flow
from ..schedule.outcome import Outcome

__all__ = ["FlowRunner"]


class FlowRunner(Protocol):
    """The port of the places in which flows are executed."""

    async def run(self, flow: Flow[Any], seconds: float | None) -> Outcome:
        """Execute a flow once, and tell how it ended: what it raises is in the outcome.

        Where the awaiting task is cancelled, or those seconds are over, the flow is ended, or, if that cannot be,
        left behind. The outcome then comes at once and says `cancelled` or `timed_out`.
        """
        ...
