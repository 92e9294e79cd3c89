"""Lists that may be bounded."""

import threading
from collections import deque
from typing import Generic, TypeVar

__all__ = ["Ring"]

T = TypeVar("T")


class Ring(Generic[T]):
    """Keeps the newest items, counts the others, and can be closed for good. Thread-safe."""

    __slots__ = ("_closed", "_items", "_lock", "_seen")

    def __init__(self, limit: int | None = None) -> None:
        self._items: deque[T] = deque(maxlen=limit)
        self._lock = threading.Lock()
        self._seen = 0
        self._closed = False

    def append(self, item: T) -> None:
        """Add an item; a closed ring ignores it."""
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
        return self._seen - len(self._items)
