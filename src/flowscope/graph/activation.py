"""One message on its way through one handler."""

from contextvars import ContextVar
from itertools import count
from typing import Any, Final, Protocol

from .state import JobState

__all__ = ["Activation", "Carrier", "running_activation"]

_numbers: Final = count(1)


class Carrier(Protocol):
    """The job that an activation belongs to, while it runs."""

    @property
    def job(self) -> JobState:
        """Its state."""
        ...

    def emit(self, activation: "Activation", event_name: str, data: dict[str, Any]) -> None:
        """Send what a handler emits."""
        ...

    def perform(self, activation: "Activation") -> None:
        """Call the handler, and decide what follows; never raises."""
        ...


class Activation:
    """A message that waits for its handler, or is being handled."""

    __slots__ = (
        "attempt",
        "carrier",
        "data",
        "done",
        "number",
        "priority",
        "problem",
        "routine",
        "routine_id",
        "slot",
        "task",
    )

    def __init__(
        self,
        carrier: Carrier,
        routine: Any,
        routine_id: str,
        slot: str,
        data: dict[str, Any],
        *,
        priority: int,
        attempt: int = 1,
        problem: BaseException | None = None,
    ) -> None:
        self.carrier = carrier
        self.routine = routine
        self.routine_id = routine_id
        self.slot = slot
        self.data = data
        """What the handler gets."""
        self.priority = priority
        self.attempt = attempt
        self.problem = problem
        """What went wrong before the handler was reached."""
        self.number = next(_numbers)
        self.done = False
        """Whether its handler is through."""
        self.task: Any = None
        """What cancels the handler, if that is async and running."""

    @property
    def job(self) -> JobState:
        """The job that it belongs to."""
        return self.carrier.job

    def emit(self, event_name: str, data: dict[str, Any]) -> None:
        """Send a message from its handler."""
        self.carrier.emit(self, event_name, data)

    def __lt__(self, other: "Activation") -> bool:
        """Whether it goes first: by priority, then first in, first out."""
        return (self.priority, self.number) < (other.priority, other.number)


running_activation: Final[ContextVar[Activation | None]] = ContextVar("flowscope_activation", default=None)
"""The activation whose handler is running here."""
