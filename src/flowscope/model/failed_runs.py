"""The records of failed runs, found by the exception with which each has ended."""

from collections.abc import Iterator
from typing import Any, Final, Protocol, cast
from weakref import WeakValueDictionary

__all__ = ["FailedRun", "failed_runs_of", "remember_failed_run"]


class FailedRun(Protocol):
    """A live flow whose latest run has ended with an error."""

    @property
    def flow_error(self) -> BaseException | None:
        """The error of its latest run."""
        ...


_by_error: Final[WeakValueDictionary[int, Any]] = WeakValueDictionary()
"""The flows that have failed, by the identity of the exception; the last one that an exception has left is the outermost.

Nothing is stored in the exception: what an exception holds travels wherever that is pickled.
"""


def remember_failed_run(error: BaseException, flow: FailedRun) -> None:
    """Note that a run of a flow ends with an exception, for as long as the flow lives."""
    _by_error[id(error)] = flow


def failed_runs_of(error: BaseException) -> Iterator[Any]:
    """The flows that have ended with an exception, its members or its causes; the nearest first."""
    waiting, seen = [error], set[int]()
    while waiting:
        present = waiting.pop(0)
        if id(present) in seen:
            continue
        seen.add(id(present))
        flow = _by_error.get(id(present))
        if (
            flow is not None and flow.flow_error is present
        ):  # else the exception was freed, and another has its identity
            yield flow
        if isinstance(present, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", present).exceptions
        if present.__cause__ is not None:
            waiting.append(present.__cause__)
