"""Lists of listeners, which users append to and remove from at any time, in any thread."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from ...concurrency.process_locks import LOCKS
from ...model.events import FlowEvent

__all__ = ["Listener", "Selective", "remove"]

Listener = Callable[[FlowEvent], object]


class Selective(ABC):
    """A listener that selects its events."""

    __slots__ = ()

    @abstractmethod
    def wants(self, event: FlowEvent) -> bool:
        """Whether it receives this event."""


def remove(listener: Listener, listeners: list[Listener]) -> None:
    """Remove a listener by identity, if the list has it; `==` of listeners is not called."""
    with LOCKS.removing:
        for index, present in enumerate(listeners):
            if present is listener:
                del listeners[index]
                return
