"""The workers of a graph: one for jobs that run one activation at a time, several for the others."""

import logging
from collections import deque
from typing import Final

from ...concurrency.thread_pool import Pool
from ..job.activation import Activation
from ..job.options import TaskPriority

__all__ = ["new_worker_threads"]

_logger: Final = logging.getLogger("flowscope")


class _Queue:
    """Activations: by priority, and among equals first in, first out."""

    def __init__(self) -> None:
        self._by_priority: dict[int, deque[Activation]] = {priority: deque() for priority in TaskPriority}

    def append(self, activation: Activation, /) -> None:
        self._by_priority[activation.priority].append(activation)

    def popleft(self) -> Activation:
        return next(items for items in self._by_priority.values() if items).popleft()

    def remove(self, activation: Activation, /) -> None:
        self._by_priority[activation.priority].remove(activation)

    def __len__(self) -> int:
        return sum(map(len, self._by_priority.values()))


class _Performer:
    """What a thread does with an activation."""

    def run(self, job: Activation) -> None:
        try:
            job.carrier.perform(job)
        except BaseException:  # what a listener raises to end its thread does not end this one, which others need
            _logger.exception("the end of routine %s could not be told", job.routine_id)

    def close(self) -> None: ...


def new_worker_threads(width: int) -> Pool[Activation]:
    """So many threads at most, which take activations by priority."""
    return Pool(width, "flowscope-graph", _Performer, make_queue=_Queue)
