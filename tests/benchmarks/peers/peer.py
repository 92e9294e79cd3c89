"""What each library is asked to do: the same four pieces of work."""

from abc import ABC, abstractmethod
from typing import ClassVar, Final

__all__ = ["WORK", "Peer"]

WORK: Final = {
    "sync_task": "a sync task in a flow",
    "async_task": "an async task in a flow",
    "empty_flow": "an empty flow",
    "task_memory": "memory held by a task until its flow ends",
}
"""The methods of `Peer`, and how the table calls them."""


class Peer(ABC):
    """One library at the work. A task takes a number and returns it; making a peer imports the library."""

    tasks: ClassVar[int]
    """How many tasks tell what one costs."""
    flows: ClassVar[int]
    """How many flows tell what one costs."""

    @abstractmethod
    def sync_task(self, count: int) -> float:
        """Call so many tasks in one sync flow, one after the other; nanoseconds per task."""

    @abstractmethod
    def async_task(self, count: int) -> float:
        """Await so many tasks in one async flow, one after the other; nanoseconds per task."""

    @abstractmethod
    def empty_flow(self, count: int) -> float:
        """Run so many flows that do nothing; nanoseconds per flow."""

    @abstractmethod
    def task_memory(self, count: int) -> float:
        """Call so many tasks in one sync flow; bytes per task in use before the flow ends, while being traced."""
