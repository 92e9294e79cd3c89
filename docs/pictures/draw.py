"""Draw the pictures of `docs/explanation`: which modules a call, a print, a submitted call and a message pass.

    python docs/pictures/draw.py

writes `docs/pictures/*.svg`, of what the code imports now. A test draws them again, and fails where one is out of date.

A way goes down the page: its boxes are modules, with the first sentence of their docstring, in the order in which the
way passes them. A thin line at the right is an import, from the module that imports to the one that is imported; an
import that a chain of others implies is left out. The house shows the packages in their layers, with their rooms.
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence, Set
from html import escape
from pathlib import Path
from typing import Any, Final, NamedTuple

import grimp

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).parent

WAYS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "call": (
        "The way of a call",
        (
            "engine.decorators",
            "engine.definitions.task_definition",
            "engine.lifecycle.task_drivers",
            "engine.lifecycle.task_lifecycle",
            "engine.scope.context",
            "engine.run.run",
            "engine.run.call_store",
            "engine.ports",
            "engine.lifecycle.guarded_attempts",
            "engine.lifecycle.invocation",
            "engine.run.record_builder",
            "model.records",
        ),
    ),
    "print": (
        "The way of a print",
        (
            "engine.capture.streams",
            "engine.scope.context",
            "engine.run.log",
            "serialization.plain_text",
            "concurrency.buffers",
            "engine.ports",
            "engine.run.event_sink",
            "engine.events.dispatcher",
            "model.events",
            "engine.events.bus",
        ),
    ),
    "submitted-call": (
        "The way of a submitted call, into a worker process",
        (
            "executors.submit",
            "executors.selection",
            "executors.submission.submission",
            "executors.backends.process_executor",
            "concurrency.thread_pool",
            "executors.remote.worker_process",
            "executors.remote.attempt",
            "executors.remote.worker_main",
            "executors.remote.hosted_run",
            "executors.remote.relay",
            "executors.remote.replay",
            "engine.lifecycle.task_lifecycle",
            "executors.submission.future",
        ),
    ),
    "message": (
        "The way of a message",
        (
            "graph.graph",
            "graph.execution.running_jobs",
            "graph.execution.job_run",
            "graph.execution.queued_work",
            "graph.execution.worker_threads",
            "graph.execution.activation_handling",
            "graph.execution.handler_call",
            "graph.routines.routine",
            "graph.execution.delivery",
            "graph.job.merging",
            "graph.job.error_policy",
            "graph.execution.checkpoints",
            "graph.job.state",
        ),
    ),
}
"""The pictures by their file name: a title, and the modules in the order in which the way passes them."""

IN_WORKER: Final = frozenset({"executors.remote.worker_main", "executors.remote.hosted_run", "executors.remote.relay"})
"""The modules of ways that run in the worker process."""

MARGIN, HEAD, GAP, PADDING = 24, 60, 12, 12
BOX_LEFT, BOX_WIDTH, LANE = 64, 520, 14
HOUSE_WIDTH = 720
TEXT_CHARACTERS_PER_PIXEL: Final = 1 / 6.3
"""How many characters of the small text fit, in fonts that are wide."""
FIRST_LINE, LINE = 38, 16
"""Where the small text of a box begins, and how far its lines are apart."""

STYLE: Final = """
  .page { fill: #fbfcfe } .box { fill: #fff; stroke: #c9d3e2 } .worker { fill: #fdf6e8; stroke: #dfc48d }
  .title, .name { fill: #1d2733; font-weight: 600 } .text { fill: #56627a } .import { fill: none; stroke: #8a94a6 }
  .head { fill: #8a94a6 } .way { fill: none; stroke: #2f6fde } .badge, .wayhead { fill: #2f6fde } .number { fill: #fff }
  @media (prefers-color-scheme: dark) {
    .page { fill: #12171f } .box { fill: #1b222d; stroke: #364153 } .worker { fill: #2c2618; stroke: #6f5b2e }
    .title, .name { fill: #e6ebf3 } .text { fill: #a9b4c6 } .import { stroke: #76839a } .head { fill: #76839a }
  }
"""
"""The colours, by the theme of the reader; the page is painted in both, so that nothing depends on what is around it."""


class Part(NamedTuple):
    """A module, or a package, in its place."""

    name: str
    lines: tuple[str, ...]
    x: int
    y: int
    width: int
    height: int


def main() -> None:
    """Write all pictures."""
    for name, picture in pictures().items():
        (HERE / name).write_text(picture, encoding="utf-8")


def pictures() -> dict[str, str]:
    """The pictures of the present code, by their file name."""
    graph = grimp.build_graph("flowscope")
    ways = {f"{name}.svg": way_picture(graph, title, modules) for name, (title, modules) in WAYS.items()}
    return {"house.svg": house_picture(graph), **ways}


def way_picture(graph: grimp.ImportGraph, title: str, modules: Sequence[str]) -> str:
    """The modules of one way, from above, and the imports among them."""
    parts = column_of(modules)
    imports = reduced(
        {
            (importer, imported)
            for importer in modules
            for imported in modules
            if graph.direct_import_exists(importer=f"flowscope.{importer}", imported=f"flowscope.{imported}")
        }
    )
    lines, right = import_lines(parts, imports)
    last = parts[-1]
    drawn = [
        way_line(parts),
        *lines,
        *(text for number, part in enumerate(parts, 1) for text in step_lines(part, number)),
    ]
    note = "numbers: the way · thin lines: imports"
    if IN_WORKER & set(modules):
        note += " · tinted: in the worker process"
    return svg_of(title, note, right + MARGIN, last.y + last.height + MARGIN, drawn)


def column_of(modules: Sequence[str]) -> list[Part]:
    """The modules, one below the other."""
    parts: list[Part] = []
    y = HEAD
    for name in modules:
        lines = wrapped(purpose_of(name), BOX_WIDTH)
        part = Part(name, lines, BOX_LEFT, y, BOX_WIDTH, height_of(lines))
        parts.append(part)
        y += part.height + GAP
    return parts


def way_line(parts: Sequence[Part]) -> str:
    """The line through the numbers of a way."""
    x, top, bottom = BOX_LEFT - 22, middle(parts[0]), middle(parts[-1])
    return f'<path class="way" d="M{x} {top} V{bottom}" stroke-width="2.5" opacity=".45"/>'


def import_lines(parts: Sequence[Part], imports: Set[tuple[str, str]]) -> tuple[list[str], int]:
    """The imports as lines at the right of the boxes, none upon another, and how far they reach."""
    rows = {part.name: row for row, part in enumerate(parts)}
    ordered = sorted(imports, key=lambda one: (abs(rows[one[0]] - rows[one[1]]), min(rows[one[0]], rows[one[1]]), one))
    lanes: list[list[tuple[int, int]]] = []
    placed: list[tuple[str, str, int]] = []
    for importer, imported in ordered:
        low, high = sorted((rows[importer], rows[imported]))
        lane = next((n for n, taken in enumerate(lanes) if all(high < a or b < low for a, b in taken)), len(lanes))
        if lane == len(lanes):
            lanes.append([])
        lanes[lane].append((low, high))
        placed.append((importer, imported, lane))
    ends = ports_of(parts, rows, placed)
    edge = BOX_LEFT + BOX_WIDTH
    drawn: list[str] = []
    for importer, imported, lane in placed:
        x = edge + 16 + lane * LANE
        start, end = ends[importer, importer, imported], ends[imported, importer, imported]
        turn = 5 if end > start else -5
        path = f"M{edge} {start} H{x - 5} Q{x} {start} {x} {start + turn} V{end - turn} Q{x} {end} {x - 5} {end} H{edge + 3}"
        drawn.append(f'<path class="import" d="{path}" stroke-width="1.3" marker-end="url(#head)"/>')
    return drawn, edge + 16 + len(lanes) * LANE


def ports_of(
    parts: Sequence[Part], rows: Mapping[str, int], placed: Sequence[tuple[str, str, int]]
) -> dict[tuple[str, str, str], int]:
    """Where on the right edge of a box each of its imports begins or ends, so that few lines cross."""
    ends: dict[tuple[str, str, str], int] = {}
    for part in parts:
        own = [one for one in placed if part.name in one[:2]]

        def order_at(one: tuple[str, str, int], name: str = part.name) -> tuple[bool, int]:
            other = one[1] if one[0] == name else one[0]
            goes_down = rows[other] > rows[name]
            return goes_down, -one[2] if goes_down else one[2]

        for place, one in enumerate(sorted(own, key=order_at), 1):
            ends[part.name, one[0], one[1]] = part.y + round(part.height * place / (len(own) + 1))
    return ends


def house_picture(graph: grimp.ImportGraph) -> str:
    """The packages in their layers, as the contract of `pyproject.toml` has them; each with its rooms and imports."""
    contracts: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    rooms_of = {one["containers"][0]: one["layers"] for one in contracts if one["type"] == "layers"}
    layers = [parts_of(layer) for layer in rooms_of["flowscope"]]
    names = [name for layer in layers for name in layer]
    drawn: list[str] = []
    y = HEAD
    for layer in layers:
        width = (HOUSE_WIDTH - (len(layer) - 1) * GAP) // len(layer)
        texts = {name: house_text(graph, name, names, rooms_of.get(f"flowscope.{name}", ()), width) for name in layer}
        height = max(map(height_of, texts.values()))
        for column, name in enumerate(layer):
            drawn += box_lines(Part(name, texts[name], MARGIN + column * (width + GAP), y, width, height))
        y += height + GAP
    note = "imports go only down, from layer to layer, and from room to room in the order given"
    return svg_of("The house", note, HOUSE_WIDTH + 2 * MARGIN, y - GAP + MARGIN, drawn)


def house_text(
    graph: grimp.ImportGraph, name: str, names: Sequence[str], layers: Iterable[str], width: int
) -> tuple[str, ...]:
    """The purpose of a package, its rooms from above, and which other packages it imports."""
    lines = wrapped(purpose_of(name), width)
    rooms = " > ".join(" | ".join(parts_of(layer)) for layer in layers)
    if rooms:
        lines += wrapped(f"rooms: {rooms}", width)
    imports = [other for other in names if other != name and imports_something(graph, name, other)]
    return lines + wrapped("imports: " + (", ".join(imports) or "nothing of the house"), width)


def parts_of(layer: str) -> list[str]:
    """The names in a line of a layers contract."""
    return [part.strip() for part in layer.replace("|", ":").split(":")]


def imports_something(graph: grimp.ImportGraph, importer: str, imported: str) -> bool:
    """Whether a module of one package imports one of another, and not only by others in between."""
    ours = {f"flowscope.{importer}", *graph.find_descendants(f"flowscope.{importer}")}
    return any(
        found == f"flowscope.{imported}" or found.startswith(f"flowscope.{imported}.")
        for module in ours
        for found in graph.find_modules_directly_imported_by(module)
    )


def reduced(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The arrows that say what no chain of others says."""

    def reaches(source: str, target: str) -> bool:
        return source == target or any(reaches(between, target) for one, between in arrows if one == source)

    return {
        (source, target)
        for source, target in arrows
        if not any(reaches(between, target) for one, between in arrows if one == source and between != target)
    }


def purpose_of(module: str) -> str:
    """The first sentence of the docstring of a module or package."""
    path = ROOT / "src/flowscope" / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".").replace("`", "")


def wrapped(text: str, width: int) -> tuple[str, ...]:
    """Small text in the lines of a box."""
    return tuple(textwrap.wrap(text, int((width - 2 * PADDING) * TEXT_CHARACTERS_PER_PIXEL), break_long_words=False))


def height_of(lines: Sequence[str]) -> int:
    """The height of a box with so many lines of small text."""
    return FIRST_LINE + LINE * len(lines)


def middle(part: Part) -> int:
    """The height on the page of the middle of a box."""
    return part.y + part.height // 2


def step_lines(part: Part, number: int) -> list[str]:
    """One box of a way, with its number."""
    x, y = part.x - 22, middle(part)
    return [
        f'<circle class="badge" cx="{x}" cy="{y}" r="12"/>',
        f'<text class="number" x="{x}" y="{y + 4}" font-size="12" font-weight="600" text-anchor="middle">{number}</text>',
        *box_lines(part),
    ]


def box_lines(part: Part) -> list[str]:
    """One box, with its name and text."""
    kind = "box worker" if part.name in IN_WORKER else "box"
    return [
        f'<rect class="{kind}" x="{part.x}" y="{part.y}" width="{part.width}" height="{part.height}" rx="8"/>',
        f'<text class="name" x="{part.x + PADDING}" y="{part.y + 21}" font-size="13">{escape(part.name)}</text>',
        *(
            f'<text class="text" x="{part.x + PADDING}" y="{part.y + FIRST_LINE + 2 + LINE * row}" font-size="12">'
            f"{escape(line)}</text>"
            for row, line in enumerate(part.lines)
        ),
    ]


def svg_of(title: str, note: str, width: int, height: int, drawn: Iterable[str]) -> str:
    """A picture with a title, and a note below it, as SVG."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>',
            f'<rect class="page" width="{width}" height="{height}" rx="10"/>',
            f'<text class="title" x="{MARGIN}" y="28" font-size="17">{escape(title)}</text>',
            f'<text class="text" x="{MARGIN}" y="46" font-size="12">{escape(note)}</text>',
            *drawn,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    main()
