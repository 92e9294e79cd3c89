"""What each library is asked to do: the same pieces of work, as far as it does such work."""

from abc import ABC, abstractmethod
from typing import ClassVar, Final

__all__ = ["WORK", "GraphPeer", "TaskPeer"]

WORK: Final = {
    "sync_task": "a sync task in a flow",
    "async_task": "an async task in a flow",
    "empty_flow": "an empty flow",
    "task_memory": "memory held by a task until its flow ends",
    "chain": "an activation in a chain of 1,000",
    "fan_out": "an activation in a fan-out of 1,000",
}
"""The methods of peers, and how the table calls them."""


class TaskPeer(ABC):
    """One library at tasks. A task takes a number and returns it; making a peer imports the library."""

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


class GraphPeer(ABC):
    """One library at graphs, in its default way to run them. A node sends on the message that it gets."""

    jobs: ClassVar[int]
    """How many jobs tell what an activation costs."""

    @abstractmethod
    def chain(self, size: int, jobs: int) -> float:
        """Run so many jobs through so many nodes, each connected with the next; nanoseconds per activation."""

    @abstractmethod
    def fan_out(self, size: int, jobs: int) -> float:
        """Run so many jobs through so many nodes, the first of which is connected with all others."""
