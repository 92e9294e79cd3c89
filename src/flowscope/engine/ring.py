"""What is kept while a run lasts: everything, or the newest items."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Keeper", "Kept", "Ring"]

T = TypeVar("T")


class Keeper(Generic[T]):
    """Takes items from any thread until it is closed."""

    __slots__ = ("append",)

    append: Callable[[T], object]
    """Add an item; after `close` it is ignored."""

    @property
    def dropped(self) -> int:
        """How many items were not kept."""
        return 0

    def items(self) -> list[T]:
        """The items that are kept, the oldest first."""
        raise NotImplementedError

    def close(self) -> None:
        """Take no more items."""
        raise NotImplementedError


class Kept(Keeper[T]):
    """Keeps every item. Adding one is the append of a list, and nothing more."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: list[T] = []
        self.append = self._items.append

    def items(self) -> list[T]:
        """The items, the oldest first."""
        return self._items[:]

    def close(self) -> None:
        """Take no more items, not even from a thread that is just about to add one."""
        self._items = self._items[:]
        self.append = _ignore


class Ring(Keeper[T]):
    """Keeps the newest items and counts the others."""

    __slots__ = ("_closed", "_items", "_lock", "_seen")

    def __init__(self, limit: int) -> None:
        self._items: deque[T] = deque(maxlen=limit)
        self._lock = threading.Lock()
        self._seen = 0
        self._closed = False
        self.append = self._append

    def _append(self, item: T) -> None:
        with self._lock:
            if not self._closed:
                self._items.append(item)
                self._seen += 1

    def close(self) -> None:
        """Take no more items."""
        with self._lock:
            self._closed = True

    def items(self) -> list[T]:
        """The items that are kept, the oldest first."""
        with self._lock:
            return list(self._items)

    @property
    def dropped(self) -> int:
        """How many items were not kept."""
        with self._lock:
            return self._seen - len(self._items)


def _ignore(item: object) -> None:
    """The run has ended."""
