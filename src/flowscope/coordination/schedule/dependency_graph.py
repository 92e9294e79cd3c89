"""Which flow depends on which: a directed graph that never has a cycle."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from ...errors import CoordinationError
from ..errors import DependencyCycleError
from .options import DependencyType

__all__ = ["Dependency", "DependencyGraph"]


@dataclass(frozen=True, slots=True)
class Dependency:
    """One flow needs another."""

    parent_id: str
    """What is needed."""
    child_id: str
    """What needs it."""
    kind: DependencyType
    param: str | None
    """The parameter of the child that takes the parent's output."""


_Edges = dict[str, dict[str, Dependency]]


class DependencyGraph:
    """The dependencies between flows, by id. What is refused leaves no trace."""

    __slots__ = ("_needed", "_needs")

    def __init__(self) -> None:
        self._needs: _Edges = {}
        """Child to its parents."""
        self._needed: _Edges = {}
        """Parent to its children."""

    def add(self, flow_id: str) -> None:
        """Take a flow."""
        self._needs[flow_id] = {}
        self._needed[flow_id] = {}

    def connect(self, dependency: Dependency) -> bool:
        """Take a dependency between two known flows; tell whether it is new.

        Raises:
            DependencyCycleError: It closes a cycle.
            CoordinationError: It contradicts one that is there.
        """
        parent_id, child_id = dependency.parent_id, dependency.child_id
        known = self._needs[child_id].get(parent_id)
        if known == dependency:
            return False
        self._check(dependency, known)
        self._needs[child_id][parent_id] = dependency
        self._needed[parent_id][child_id] = dependency
        return True

    def _check(self, dependency: Dependency, known: Dependency | None) -> None:
        parent_id, child_id, param = dependency.parent_id, dependency.child_id, dependency.param
        what = f"flow {child_id!r}"
        if known is not None:
            found = f"{known.kind}, param={known.param!r}"
            raise CoordinationError(what, f"depends on {parent_id!r} already ({found}). Register each dependency once.")
        if param is not None and any(other.param == param for other in self._needs[child_id].values()):
            raise CoordinationError(what, f"takes {param!r} from another flow already. Choose another parameter.")
        if self._depends(parent_id, child_id):
            raise DependencyCycleError(parent_id, child_id, tuple(self._cycle_closed_by(dependency)))

    def _depends(self, flow_id: str, on: str) -> bool:
        """Whether there is a path; searched from both ends, so that long chains may be built from either."""
        ways = zip(_reached(on, self._needed), _reached(flow_id, self._needs), strict=False)
        return any(below == flow_id or above == on for below, above in ways)

    def _cycle_closed_by(self, dependency: Dependency) -> list[str]:
        needs: dict[str, list[str]] = {
            flow_id: [*self._needs[flow_id]] for flow_id in _reached(dependency.parent_id, self._needs)
        }
        needs[dependency.child_id].append(dependency.parent_id)
        return _cycle_in(needs)

    def dependencies(self, flow_id: str) -> Collection[Dependency]:
        """What a flow needs."""
        return self._needs[flow_id].values()

    def dependents(self, flow_id: str) -> Collection[Dependency]:
        """What needs a flow."""
        return self._needed[flow_id].values()

    def has_cycle(self, start_id: str) -> bool:
        """Whether a path from a flow to its dependents leads to a cycle."""
        return bool(_cycle_in({flow_id: self._needs[flow_id] for flow_id in _reached(start_id, self._needed)}))


def _reached(start_id: str, edges: _Edges) -> Iterator[str]:
    """A flow, and everything that edges lead to, each once."""
    seen = {start_id}
    waiting = deque(seen)
    while waiting:
        flow_id = waiting.popleft()
        yield flow_id
        for other in edges[flow_id]:
            if other not in seen:
                seen.add(other)
                waiting.append(other)


def _cycle_in(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """The flows of a cycle, the first one again at the end; empty if there is none."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return cycle
    return []
