"""Showing a run while it runs: as lines, or, on a terminal, as a tree that is drawn anew a few times a second."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import IO, Final, Protocol, Self

from rich.console import Console, JustifyMethod
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ...engine.run.log import clock, log_line
from ...model.events import EventType, FlowEvent
from .call_tree import Group, Row
from .columns import columns_that_fit, room_for_names
from .progress import Progress
from .streams import try_write
from .text import duration, plain, plain_lines

__all__ = ["Display", "LiveDisplay", "PlainDisplay", "display_for"]

SECONDS_BETWEEN_DRAWINGS: Final = 0.2
MAX_WAITING_LINES: Final = 200

_GAP: Final = 2
_JUSTIFIED: Final[tuple[JustifyMethod, ...]] = ("left", "right", "left", "right", "right", "right")
_SPARE: Final = (3, 4, 2, 1, 5)
"""The columns of the tree that a narrow terminal goes without, in this order: the times before the numbers."""


class Display(Protocol):
    """A listener that shows what it hears, inside its `with` block."""

    def __call__(self, event: FlowEvent) -> None:
        """Take in an event, in any thread."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def display_for(console: Console, progress: Progress, log_level: int) -> Display:
    """The tree for a terminal, lines for everything else."""
    if console.file.isatty() and console.is_interactive:
        return LiveDisplay(console, progress, log_level)
    return PlainDisplay(console.file, progress, log_level)


class PlainDisplay:
    """One line for each log entry, each task that ends, and the start and the end of each flow."""

    def __init__(self, stream: IO[str], progress: Progress, log_level: int) -> None:
        self._stream = stream
        self._progress = progress
        self._log_level = log_level

    def __call__(self, event: FlowEvent) -> None:
        """Write a line about the event, if it deserves one."""
        group = self._progress.take(event)
        told = _log_line(event, self._log_level) or _life_line(event, group)
        if told is not None:
            try_write(self._stream, f"{told}\n")  # nobody may be reading: the run goes on

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try_write(self._stream)


class LiveDisplay:
    """The tree of tasks, with the log scrolling above it.

    Drawing is the work of a thread of its own: a run of many tasks pays for the counting alone. Of a flood of log
    entries some are shown and the others counted; all are in the record.
    """

    def __init__(self, console: Console, progress: Progress, log_level: int) -> None:
        self._console = console
        self._progress = progress
        self._log_level = log_level
        self._lines: list[Text] = []
        self._flooded = 0
        self._lost = False
        """Whether the terminal has gone."""
        self._lock = threading.RLock()  # the garbage collector may close a generator, which is an event, anywhere
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._draw_until_end, name="flowscope-display", daemon=True)
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=True,
        )

    def __call__(self, event: FlowEvent) -> None:
        """Count the event, or keep its line for the next drawing."""
        self._progress.take(event)
        line = _log_line(event, self._log_level)
        if line is None:
            return
        with self._lock:
            if len(self._lines) < MAX_WAITING_LINES:
                self._lines.append(_coloured(line, event.event_data.log_level))
            else:
                self._flooded += 1

    def __enter__(self) -> Self:
        self._perform(self._live.start)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._perform(self._draw)
        self._perform(self._live.stop)

    def _draw_until_end(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_DRAWINGS):
            self._perform(self._draw)

    def _perform(self, step: Callable[[], object]) -> None:
        """Draw, unless the terminal has gone: the run goes on."""
        if not self._lost:
            try:
                step()
            except OSError:
                self._lost = True

    def _draw(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
            flooded, self._flooded = self._flooded, 0
        if flooded:
            lines.append(Text(f"... and {flooded} more log entries"))
        if lines:
            self._console.print(Text("\n").join(lines), soft_wrap=True)
        width, height = self._console.size
        self._live.update(_tree(self._progress.rows(), width, height - 2), refresh=True)


def _log_line(event: FlowEvent, log_level: int) -> str | None:
    """A log entry that is to be shown, as the library writes it."""
    data = event.event_data
    if event.event_type is not EventType.FLOW_MESSAGE or data.log_level < log_level:
        return None
    return log_line(event.timestamp, data.log_level, plain_lines(data.data["message_data"]["message_text"], ""))


def _coloured(line: str, log_level: int) -> Text:
    text = Text(line)
    if log_level >= logging.WARNING:
        start = line.index("| ") + 2
        text.stylize("red" if log_level >= logging.ERROR else "yellow", start, line.index(" |", start))
    return text


def _life_line(event: FlowEvent, group: Group) -> str | None:
    kind, data = event.event_type, event.event_data
    if kind is EventType.FLOW_START:
        return f"{clock(event.timestamp)} | flow {data.flow_name!r} started"
    if kind is EventType.FLOW_STOP:
        return f"{clock(event.timestamp)} | flow {data.flow_name!r} {_outcome(data.data)}"
    if kind is EventType.TASK_STOP:
        return f"{clock(event.timestamp)} | task {group.path!r} {_outcome(data.data)}"
    return None


def _outcome(payload: dict[str, object]) -> str:
    took = payload["duration"]
    return f"{payload['status']} in {duration(took)}" if isinstance(took, float) else str(payload["status"])


def _tree(rows: list[Row], width: int, height: int) -> Table:
    cells = [_cells(row) for row in rows[:height]]
    texts = [[cell.plain for cell in row] for row in cells]
    kept = columns_that_fit(texts, width, _GAP, _SPARE)
    room = room_for_names(texts, width, _GAP, kept)
    table = Table.grid(padding=(0, _GAP, 0, 0))
    for number in kept:
        table.add_column(justify=_JUSTIFIED[number], no_wrap=True)
    for row in cells:
        row[0].truncate(room, overflow="ellipsis")
        table.add_row(*(row[number] for number in kept))
    if len(rows) > height:
        table.add_row(f"... and {len(rows) - height} more")
    return table


def _cells(row: Row) -> list[Text]:
    several = row.ended + row.running > 1
    troubles = [f"{row.failed} failed"] * bool(row.failed) + [f"{row.stopped} stopped"] * bool(row.stopped)
    return [
        Text("  " * row.depth + plain(row.name), style="bold" if row.depth == 0 else ""),
        Text(f"{row.ended} done" if row.depth else ""),
        Text(f"{row.running} running" if row.running else "", style="cyan"),
        Text(duration(row.total) if several and row.ended else "", style="dim"),
        Text(f"max {duration(row.longest)}" if several else duration(row.longest)),
        Text(", ".join(troubles), style="red"),
    ]
