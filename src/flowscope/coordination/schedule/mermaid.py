"""The graph of the flows as Mermaid text (https://mermaid.js.org/syntax/flowchart.html)."""

from collections.abc import Iterator
from typing import Final

from ...model.status import RunStatus
from .coordinator_state import Snapshot
from .dependency_graph import Dependency
from .options import DependencyType
from .registration import Registration

__all__ = ["to_mermaid"]

_STYLES: Final = {
    RunStatus.PENDING: "fill:#f4f4f4,stroke:#999999,color:#333333",
    RunStatus.RUNNING: "fill:#cfe2ff,stroke:#0d6efd,color:#052c65",
    RunStatus.COMPLETED: "fill:#d1e7dd,stroke:#198754,color:#0a3622",
    RunStatus.FAILED: "fill:#f8d7da,stroke:#dc3545,color:#58151c",
    RunStatus.CANCELLED: "fill:#e2e3e5,stroke:#6c757d,color:#2b2f32",
    RunStatus.TIMED_OUT: "fill:#ffe5d0,stroke:#fd7e14,color:#653208",
    RunStatus.SKIPPED: "fill:#fff3cd,stroke:#ffc107,color:#664d03",
}
_NAMED: Final = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;"}
_SPECIAL: Final = frozenset("#%`\\{}[]|;")


def to_mermaid(snapshot: Snapshot) -> str:
    """A flow chart: a node for each flow, of its state's class; a dashed edge for an optional dependency."""
    return "\n".join(["flowchart TD", *_lines(snapshot), ""])


def _lines(snapshot: Snapshot) -> Iterator[str]:
    places = {flow_id: f"n{number}" for number, flow_id in enumerate(snapshot.flows, 1)}
    for flow_id, (registration, status) in snapshot.flows.items():
        yield f'    {places[flow_id]}["{_label(registration, status)}"]:::{status}'
    for dependency in snapshot.dependencies:
        yield f"    {places[dependency.parent_id]} {_arrow(dependency)} {places[dependency.child_id]}"
    for status in dict.fromkeys(status for _, status in snapshot.flows.values()):
        if status in _STYLES:
            yield f"    classDef {status} {_STYLES[status]}"


def _label(registration: Registration, status: RunStatus) -> str:
    names = dict.fromkeys([registration.flow.flow_name or "Flow", registration.flow_id])
    return "<br/>".join([*map(_escaped, names), status])


def _arrow(dependency: Dependency) -> str:
    line = "-.->" if dependency.kind is DependencyType.OPTIONAL else "-->"
    return line if dependency.param is None else f'{line}|"{_escaped(dependency.param)}"|'


def _escaped(text: str) -> str:
    """Text that cannot end the label it stands in, nor mean anything else than itself."""
    return "".join(map(_escape, text))


def _escape(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    if char in _SPECIAL or not char.isprintable():
        return f"#{ord(char)};"
    return char
