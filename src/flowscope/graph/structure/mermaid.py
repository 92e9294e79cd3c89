"""A graph as text that Mermaid draws."""

import re
from typing import Final

from ..job.state import JobState
from .validation import Plan

__all__ = ["mermaid_of"]

_STYLES: Final = {
    "pending": "fill:#f6f8fa,stroke:#8c959f",
    "running": "fill:#ddf4ff,stroke:#0969da",
    "completed": "fill:#dafbe1,stroke:#1a7f37",
    "failed": "fill:#ffebe9,stroke:#cf222e",
    "error_continued": "fill:#fff8c5,stroke:#9a6700",
    "skipped": "fill:#fff8c5,stroke:#9a6700,stroke-dasharray:3",
}


def mermaid_of(plan: Plan, job: JobState | None) -> str:
    """A flowchart: a node for each routine, an edge for each connection, and with a job the state of each routine."""
    routines = plan.routines
    nodes = {name: f"r{number}" for number, name in enumerate(routines)}
    lines = ["flowchart LR"]
    for name, routine in routines.items():
        state = _state(name, job)
        shown = f"<br/>{state}" if state else ""
        kind = _escaped(type(routine).__name__)
        lines.append(f'  {nodes[name]}["{_escaped(name)}<br/>{kind}{shown}"]{f":::{state}" if state else ""}')
    for one in plan.connections:
        label = f"{_escaped(one.source_event)} → {_escaped(one.target_slot)}"
        lines.append(f'  {nodes[one.source_id]} -- "{label}" --> {nodes[one.target_id]}')
    if job is not None:
        lines.extend(f"  classDef {state} {style}" for state, style in _STYLES.items())
    return "\n".join(lines) + "\n"


def _state(name: str, job: JobState | None) -> str:
    if job is None:
        return ""
    state = job.routine_states.get(name)
    return "pending" if state is None else state.status


_SPECIAL: Final = re.compile(r"[^\w ]|(?<![^\W_])_|_(?![^\W_])|(?<![^ ]) | (?![^ ])")
"""What Mermaid, HTML or Markdown may read as more than itself: all but letters, digits, and a `_` or space among them."""
_PAIRED: Final = re.compile(r"\\(?=n)|\$(?=\$)|:(?=fa-)")
"""What Mermaid reads as a line break, a formula or an icon even where it is written as numbers."""
_JOINER: Final = "\u2060"
"""Takes no room, and parts what would be read as a pair."""


def _escaped(text: str) -> str:
    """Text for a label in quotes; https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters."""
    parted = _PAIRED.sub(lambda match: match[0] + _JOINER, text)
    return _SPECIAL.sub(lambda match: f"#{ord(match[0])};", parted)
