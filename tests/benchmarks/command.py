"""The command: which rows, how thoroughly, and where the figures go."""

import argparse
import gc
import json
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .conditions import conditions
from .figures import FULL, QUICK, TINY, Effort, Figure
from .peers.side_by_side import PEERS, Outcome, measure_here, measure_peer
from .rows import ROWS
from .table import conditions_text, figures_text, peers_text

__all__ = ["main"]

_ROW_NAMES: Final = tuple(row.name for row in ROWS)


class _Options(argparse.Namespace):
    effort: Effort
    only: list[str]
    peers: bool | None
    peer: str | None
    json: Path | None
    gc: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0, or 1 if some row could not be measured."""
    options = _parser().parse_args(arguments, _Options())
    with _collecting(options.gc):
        if options.peer is None:
            return _report(options)
        _write(options.json, measure_here(options.peer, options.effort))
        return 0


def _report(options: _Options) -> int:
    told = conditions(options.effort)
    print(conditions_text(told), end="\n\n", flush=True)
    figures, failures = _measure_rows(options.only, options.effort)
    print(figures_text([figure for found in figures.values() for figure in found]))
    for name, reason in failures.items():
        print(f"{name}: failed: {reason}")
    wants_peers = not options.only if options.peers is None else options.peers
    outcomes = _measure_peers(options.effort) if wants_peers else {}
    if outcomes:
        print("\nThe same work side by side; x is the ratio to the work by hand, in the same process.\n")
        print(peers_text(list(outcomes.values())))
    if options.json is not None:
        _write(options.json, _document(told, figures, failures, outcomes))
    return 1 if failures else 0


def _document(
    told: Mapping[str, str],
    figures: Mapping[str, Sequence[Figure]],
    failures: Mapping[str, str],
    outcomes: Mapping[str, Outcome],
) -> dict[str, object]:
    """All of it, for JSON."""
    rows = {name: [{**one._asdict(), "verdict": one.verdict} for one in found] for name, found in figures.items()}
    peers = {
        name: {
            "title": outcome.title,
            "reason": outcome.reason,
            "costs": {work: cost._asdict() for work, cost in outcome.costs.items()},
        }
        for name, outcome in outcomes.items()
    }
    return {"conditions": told, "rows": rows, "failures": failures, "peers": peers}


@contextmanager
def _collecting(wanted: bool) -> Generator[None, None, None]:
    """A block in which garbage is collected automatically, or not."""
    collected = gc.isenabled()
    (gc.enable if wanted else gc.disable)()
    try:
        yield
    finally:
        (gc.enable if collected else gc.disable)()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description="Print what flowscope costs, beside its budgets.")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", dest="effort", action="store_const", const=QUICK, help="a tenth of the work")
    sizes.add_argument(
        "--quick-tiny", dest="effort", action="store_const", const=TINY, help="only that it works; the figures are void"
    )
    parser.set_defaults(effort=FULL)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=_ROW_NAMES,
        metavar="NAME",
        help=f"this row, and no peers; may be given again: {', '.join(_ROW_NAMES)}",
    )
    parser.add_argument(
        "--peers", action=argparse.BooleanOptionalAction, help="whether to measure the same work in other libraries"
    )
    parser.add_argument("--peer", choices=PEERS, help="measure this library alone, in this process, without a table")
    parser.add_argument(
        "--gc",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether garbage is collected while floors and subjects are timed, as it is for users; the peers' always is",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures into this file")
    return parser


def _measure_rows(only: Sequence[str], effort: Effort) -> tuple[dict[str, list[Figure]], dict[str, str]]:
    """The figures of each row, and the reasons of those that failed."""
    figures: dict[str, list[Figure]] = {}
    failures: dict[str, str] = {}
    for row in ROWS:
        if only and row.name not in only:
            continue
        _tell(row.name)
        try:
            figures[row.name] = row.measure(effort)
        except Exception as error:
            failures[row.name] = f"{type(error).__name__}: {error}"
    return figures, failures


def _measure_peers(effort: Effort) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    for name in PEERS:
        _tell(name)
        outcomes[name] = measure_peer(name, effort)
    return outcomes


def _tell(name: str) -> None:
    """Show whoever waits at a terminal what is being measured."""
    if sys.stderr.isatty():
        print(f"measuring {name}", file=sys.stderr)


def _write(file: Path | None, document: object) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if file is None:
        print(text)
    else:
        file.write_text(text + "\n", encoding="utf-8")
