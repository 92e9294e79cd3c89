"""Draw the pictures of `docs/explanation`: which modules a call, a print, a submitted call and a message pass.

    python docs/pictures/draw.py

writes `docs/pictures/*.svg`, of what the code imports now. A test draws them again, and fails where one is out of date.
Boxes are modules, with the first line of their docstring; numbers are the order of the way. An arrow is an import; one
that a chain of others implies is left out. A module stands below all those that import it.
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

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
            "engine.ports",
            "engine.run.event_sink",
            "engine.events.dispatcher",
            "engine.events.bus",
            "model.events",
        ),
    ),
    "submitted-call": (
        "The way of a submitted call",
        (
            "executors.submit",
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
            "graph.execution.handler_call",
            "graph.routines.routine",
            "graph.execution.delivery",
            "graph.job.merging",
            "graph.job.state",
        ),
    ),
}
"""The pictures by their file name: a title, and the modules in the order in which the way passes them."""

BOX_WIDTH, BOX_HEIGHT, GAP, ROW_GAP, MARGIN, HEAD = 252, 74, 26, 46, 28, 56


class Box(NamedTuple):
    """A module, or a package, in its place."""

    name: str
    text: str
    number: int | None
    x: int
    y: int


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
    """The modules of one way, and the imports among them."""
    arrows = {
        (importer, imported)
        for importer in modules
        for imported in modules
        if graph.direct_import_exists(importer=f"flowscope.{importer}", imported=f"flowscope.{imported}")
    }
    rows = rows_of(modules, arrows)
    return svg_of(title, boxes_in(rows, {module: number + 1 for number, module in enumerate(modules)}), reduced(arrows))


def house_picture(graph: grimp.ImportGraph) -> str:
    """The packages in their layers, as the contract of `pyproject.toml` has them."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0]
    layers = [[part.strip() for part in layer.replace("|", " ").split()] for layer in contract["layers"]]
    rooms = [room for layer in layers for room in layer]
    arrows = {
        (importer, imported)
        for importer in rooms
        for imported in rooms
        if importer != imported and imports_something(graph, importer, imported)
    }
    return svg_of("The house: imports go only down", boxes_in(layers, {}), reduced(arrows))


def imports_something(graph: grimp.ImportGraph, importer: str, imported: str) -> bool:
    """Whether a module of one room imports one of another."""
    return graph.find_shortest_chain(f"flowscope.{importer}", f"flowscope.{imported}", as_packages=True) is not None


def reduced(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The arrows that say what no chain of others says."""
    return {
        (source, target)
        for source, target in arrows
        if not any((source, between) in arrows and (between, target) in arrows for _, between in arrows)
    }


def rows_of(modules: Sequence[str], arrows: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The modules in rows, each below all those that import it."""
    importers = {module: [one for one, other in arrows if other == module] for module in modules}
    depths: dict[str, int] = {}

    def depth_of(module: str) -> int:
        if module not in depths:
            depths[module] = max((depth_of(importer) + 1 for importer in importers[module]), default=0)
        return depths[module]

    rows: list[list[str]] = [[] for _ in range(max(map(depth_of, modules)) + 1)]
    for module in modules:
        rows[depths[module]].append(module)
    return rows


def purpose_of(module: str) -> str:
    """The first sentence of the docstring of a module or package."""
    path = ROOT / "src/flowscope" / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").split(": ")[0].rstrip(".")


def boxes_in(rows: Sequence[Sequence[str]], numbers: Mapping[str, int]) -> list[Box]:
    """The boxes of modules in rows, each row in the middle."""
    widest = max(map(len, rows))
    boxes: list[Box] = []
    for depth, row in enumerate(rows):
        left = MARGIN + (widest - len(row)) * (BOX_WIDTH + GAP) // 2
        for column, name in enumerate(row):
            x, y = left + column * (BOX_WIDTH + GAP), HEAD + depth * (BOX_HEIGHT + ROW_GAP)
            boxes.append(Box(name, purpose_of(name), numbers.get(name), x, y))
    return boxes


def svg_of(title: str, boxes: Sequence[Box], arrows: Iterable[tuple[str, str]]) -> str:
    """Boxes and arrows as SVG."""
    width = max(box.x for box in boxes) + BOX_WIDTH + MARGIN
    height = max(box.y for box in boxes) + BOX_HEIGHT + MARGIN
    places = {box.name: box for box in boxes}
    lines = [arrow_of(places[source], places[target]) for source, target in sorted(arrows)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' font-family="system-ui, sans-serif" role="img">',
            f"<title>{escape(title)}</title>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0 L8 4 L0 8 z" fill="#8a94a6"/></marker></defs>',
            f'<rect width="{width}" height="{height}" rx="10" fill="#fbfcfe"/>',
            f'<text x="{MARGIN}" y="34" font-size="17" font-weight="600" fill="#1d2733">{escape(title)}</text>',
            *lines,
            *(text for box in boxes for text in box_lines(box)),
            "</svg>",
            "",
        ]
    )


def arrow_of(source: Box, target: Box) -> str:
    """An arrow from the lower edge of one box to the upper edge of another, or between boxes of a row."""
    if source.y == target.y:
        left = source.x > target.x
        x1, x2 = (source.x, target.x + BOX_WIDTH) if left else (source.x + BOX_WIDTH, target.x)
        path = f"M{x1} {source.y + BOX_HEIGHT // 2} L{x2} {target.y + BOX_HEIGHT // 2}"
    else:
        x1, y1 = source.x + BOX_WIDTH // 2, source.y + BOX_HEIGHT
        x2, y2 = target.x + BOX_WIDTH // 2, target.y
        bend = (y2 - y1) // 2
        path = f"M{x1} {y1} C{x1} {y1 + bend}, {x2} {y2 - bend}, {x2} {y2}"
    return f'<path d="{path}" fill="none" stroke="#8a94a6" stroke-width="1.3" marker-end="url(#head)"/>'


def box_lines(box: Box) -> list[str]:
    """One box, with its name, text and number."""
    lines = textwrap.wrap(box.text, 40)
    if len(lines) > 2:
        lines = [lines[0], textwrap.shorten(" ".join(lines[1:]), 40, placeholder=" …")]
    badge = (
        []
        if box.number is None
        else [
            f'<circle cx="{box.x + BOX_WIDTH - 16}" cy="{box.y + 17}" r="10" fill="#2f6fde"/>',
            f'<text x="{box.x + BOX_WIDTH - 16}" y="{box.y + 21}" font-size="11" font-weight="600" fill="#fff"'
            f' text-anchor="middle">{box.number}</text>',
        ]
    )
    return [
        f'<rect x="{box.x}" y="{box.y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8" fill="#fff"'
        ' stroke="#c9d3e2"/>',
        f'<text x="{box.x + 12}" y="{box.y + 22}" font-size="12.5" font-weight="600" fill="#1d2733">'
        f"{escape(short(box.name))}</text>",
        *(
            f'<text x="{box.x + 12}" y="{box.y + 42 + 16 * number}" font-size="11" fill="#56627a">{escape(line)}</text>'
            for number, line in enumerate(lines)
        ),
        *badge,
    ]


def short(name: str) -> str:
    """The name of a module, without the middle part where it is long."""
    return name if len(name) <= 25 else ".".join(name.split(".")[1:])


if __name__ == "__main__":
    main()
