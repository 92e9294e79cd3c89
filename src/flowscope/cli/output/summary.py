"""The last word on a run: how it ended, how long its tasks took, and what it made."""

from collections.abc import Iterable
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...engine.live import Flow
from ...model.durations import Durations
from ...model.status import RunStatus
from .columns import columns_that_fit
from .progress import Found, Kept, Progress
from .text import cut, duration, error_line, plain, short

__all__ = ["print_summary"]

_HEADINGS: Final = ("task", "count", "total", "mean", "max")
_GAP: Final = 3
_SPARE: Final = (3, 2, 4, 1)
"""The columns that a narrow terminal goes without, in this order."""
_STYLES = {RunStatus.COMPLETED: "bold green", RunStatus.CANCELLED: "bold yellow"}


def print_summary(console: Console, flow: Flow[Any], progress: Progress, record: str | None) -> None:
    """Print what there is to say; `record` is where the run JSON went."""
    durations = flow.durations()
    _print(console, _headline(durations, progress))
    if durations.calls:
        console.print(_timings(durations, console.width))
    failures = ((found.name + progress.inputs_of(found), found.description) for found in progress.failures.first)
    _print_section(console, "failed tasks", failures, progress.failures, style="red")
    artifacts = ((found.name, found.description) for found in progress.artifacts.first)
    _print_section(console, "artifacts", artifacts, progress.artifacts)
    results = ((found.name, _result(found)) for found in progress.results.first)
    _print_section(console, "results", results, progress.results)
    if progress.return_value is not None:
        _print(console, Text.assemble(("returned  ", "bold"), short(progress.return_value.value)))
    if record is not None:
        _print(console, Text.assemble(("record    ", "bold"), plain(record)))


def _print(console: Console, line: Text) -> None:
    console.print(line, soft_wrap=True)


def _headline(durations: Durations, progress: Progress) -> Text:
    status = durations.flow_status
    line = Text.assemble(
        (plain(durations.flow_name), "bold"),
        " ",
        (str(status), _STYLES.get(status, "bold red")),
        f" in {duration(durations.flow_duration)}",
    )
    error = progress.error
    return line if error is None else line.append(f": {cut(error_line(error))}")


def _timings(durations: Durations, width: int) -> Table:
    rows = [
        [plain(name), str(timing.count), *map(duration, (timing.total, timing.mean, timing.max))]
        for name, timing in durations.calls.items()
    ]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    kept = columns_that_fit([_HEADINGS, *rows], width, _GAP, _SPARE)
    for number in kept:
        if number:
            table.add_column(_HEADINGS[number], justify="right", no_wrap=True)
        else:
            table.add_column(_HEADINGS[number], overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[number]) for number in kept))
    return table


def _print_section(console: Console, title: str, items: Iterable[tuple[str, str]], kept: Kept, style: str = "") -> None:
    if not kept.count:
        return
    _print(console, Text(f"{title}: {kept.count}", style="bold"))
    for name, told in items:
        line = Text.assemble(f"  {plain(name)}  ", (cut(told), style))
        line.rstrip()
        _print(console, line)
    if kept.count > len(kept.first):
        _print(console, Text(f"  ... and {kept.count - len(kept.first)} more"))


def _result(found: Found) -> str:
    value = "" if found.value is None else short(found.value)
    return ": ".join(part for part in (found.description, value) if part)
