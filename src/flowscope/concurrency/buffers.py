"""What is kept while a run lasts: everything, or the newest items. Both take items from any thread, without a lock."""

from collections import deque
from itertools import count
from typing import Any, Final, Generic, Protocol, TypeVar

__all__ = ["Buffer", "DiscardingBuffer", "RingBuffer", "UnboundedBuffer"]

T = TypeVar("T")


class Buffer(Protocol[T]):
    """Takes items from any thread."""

    @property
    def dropped(self) -> int:
        """How many items were not kept."""
        ...

    def append(self, item: T, /) -> None:
        """Add an item."""
        ...

    def items(self) -> list[T]:
        """The items that are kept, the oldest first."""
        ...

    def close(self) -> "Buffer[T]":
        """What stands in its place once the run has ended: the same items, and it takes no more."""
        ...


class UnboundedBuffer(list[T]):
    """Keeps every item. It is a list, so that adding an item is an append and nothing more."""

    __slots__ = ()

    dropped = 0

    def items(self) -> list[T]:
        """The items, the oldest first."""
        return self[:]

    def close(self) -> Buffer[T]:
        """A copy that takes no more; a thread that is just about to append does so to the original."""
        return _Closed(self[:], 0) if self else _CLOSED_EMPTY


class RingBuffer(Generic[T]):
    """Keeps the newest items and counts the others."""

    __slots__ = ("_items", "_numbers", "_seen")

    def __init__(self, limit: int) -> None:
        self._items: deque[T] = deque(maxlen=limit)
        self._numbers = count(1)
        self._seen = 0

    @property
    def dropped(self) -> int:
        """How many items were not kept."""
        return max(0, self._seen - len(self._items))

    def append(self, item: T, /) -> None:
        """Add an item, and drop the oldest one if there are too many."""
        self._items.append(item)
        self._seen = max(self._seen, next(self._numbers))

    def items(self) -> list[T]:
        """The items that are kept, the oldest first."""
        return list(self._items.copy())

    def close(self) -> Buffer[T]:
        """A copy that takes no more."""
        return _Closed(self.items(), self.dropped)


class DiscardingBuffer(Generic[T]):
    """Keeps nothing, and counts nothing."""

    __slots__ = ()

    dropped = 0

    def append(self, item: T, /) -> None:
        """Let the item go."""

    def items(self) -> list[T]:
        """An empty list."""
        return []

    def close(self) -> Buffer[T]:
        """This one."""
        return self


class _Closed(Generic[T]):
    __slots__ = ("_items", "dropped")

    def __init__(self, items: list[T], dropped: int) -> None:
        self._items = items
        self.dropped = dropped

    def append(self, item: T, /) -> None:
        """The run has ended."""

    def items(self) -> list[T]:
        return self._items[:]

    def close(self) -> Buffer[T]:
        return self


_CLOSED_EMPTY: Final[Buffer[Any]] = _Closed([], 0)
