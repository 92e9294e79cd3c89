"""The kinds of dependencies and of flows."""

from enum import StrEnum

__all__ = ["DependencyType", "FlowType"]


class DependencyType(StrEnum):
    """The consequence of a flow's failure for a flow that depends on it."""

    REQUIRED = "required"
    """The dependent flow fails too, without being run."""
    OPTIONAL = "optional"
    """The dependent flow waits for it and runs in any case."""


class FlowType(StrEnum):
    """Where a flow runs."""

    INLINE = "inline"
    """In the event loop of its execution."""
    THREAD = "thread"
    """In a thread of its own."""
    PROCESS = "process"
    """In a worker process."""
