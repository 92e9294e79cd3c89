"""A slot of a routine in a graph, with all that its messages meet there."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .handler_binding import Receiver
from .slots_and_events import Connection, MergeStrategy, Slot

__all__ = ["BoundSlot", "Route"]


class BoundSlot:
    """Found out once for a graph, and shared by its jobs."""

    __slots__ = ("merge_strategy", "name", "receiver", "routes", "routine", "routine_id")

    def __init__(
        self,
        routine: Any,
        routine_id: str,
        slot: Slot,
        receiver: Receiver | None,
        routes: "Mapping[str, Sequence[Route]]",
    ) -> None:
        self.routine: Any = routine
        self.routine_id: str = routine_id
        self.name: str = slot.name
        self.receiver: Receiver | None = receiver
        """What receives the messages; None for a slot that only merges."""
        self.merge_strategy: MergeStrategy = slot.merge_strategy
        self.routes: Mapping[str, Sequence[Route]] = routes
        """The ways from the routine's events, by name."""


class Route(NamedTuple):
    """A connection with what its messages meet."""

    connection: Connection
    target: BoundSlot
    is_plain: bool
    """Whether messages arrive as they were sent: nothing is renamed, and nothing merged."""
