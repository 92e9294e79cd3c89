"""Lists of listeners, which users append to and remove from at any time, in any thread."""

from collections.abc import Callable

from ...concurrency.process_locks import LOCKS
from ...model.events import FlowEvent

__all__ = ["Listener", "remove"]

Listener = Callable[[FlowEvent], object]


def remove(listener: Listener, listeners: list[Listener]) -> None:
    """Take out that very object, if it is there; its neighbours are not even compared with it."""
    with LOCKS.removing:
        for index, present in enumerate(listeners):
            if present is listener:
                del listeners[index]
                return
