"""Lists of listeners, which users append to and remove from at any time, in any thread."""

import threading
from collections.abc import Callable
from typing import Final

from ..model.events import FlowEvent

__all__ = ["Listener", "remove"]

Listener = Callable[[FlowEvent], object]

_removing: Final = threading.Lock()


def remove(listener: Listener, listeners: list[Listener]) -> None:
    """Take out that very object, if it is there; its neighbours are not even compared with it."""
    with _removing:
        for index, present in enumerate(listeners):
            if present is listener:
                del listeners[index]
                return
