"""The workers of a graph: one for jobs that run one activation at a time, several for the others."""

from heapq import heapify, heappop, heappush

from ..executors.pool import Pool
from .activation import Activation

__all__ = ["new_lane"]


class _Heap:
    """Activations, the first to go first."""

    def __init__(self) -> None:
        self._items: list[Activation] = []

    def append(self, activation: Activation, /) -> None:
        heappush(self._items, activation)

    def popleft(self) -> Activation:
        return heappop(self._items)

    def remove(self, activation: Activation, /) -> None:
        self._items.remove(activation)
        heapify(self._items)

    def __len__(self) -> int:
        return len(self._items)


class _Performer:
    """What a thread does with an activation."""

    def run(self, job: Activation) -> None:
        job.carrier.perform(job)

    def close(self) -> None: ...


def new_lane(width: int) -> Pool[Activation]:
    """So many threads at most, which take activations by priority."""
    return Pool(width, "flowscope-graph", _Performer, make_queue=_Heap)
