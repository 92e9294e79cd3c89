"""The commands."""

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console

from ..engine.events.bus import flow_events
from ..engine.live import Flow
from ..model.events import EventType
from ..model.status import RunStatus
from .display import Display, display_for
from .errors import CommandError
from .parameters import read_params, set_up
from .progress import Progress
from .record_file import RecordFile
from .summary import print_summary
from .target import find_target

__all__ = ["app"]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

_REFUSED = 2
_INTERRUPTED = 130
_PLAIN_WIDTH = 120


class LogLevel(StrEnum):
    """The levels of the log."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


@app.callback()
def flowscope() -> None:
    """Run flows, and keep their records."""


@app.command()
def run(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="MODULE:FLOW or FILE.py:FLOW.")],
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter of the flow, as text or JSON."),
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write the run record as JSON.")] = None,
    log_level: Annotated[
        LogLevel, typer.Option(case_sensitive=False, help="The lowest level of log entries to show as they come.")
    ] = LogLevel.WARNING,
) -> None:
    """Run a flow, show its progress and a summary, and write its record.

    The exit code is 0 if the flow completed, 1 if it failed, 130 if it was interrupted, its own if it called
    `sys.exit`, and 2 if it was not run or its record could not be written.
    """
    try:
        record_file = None if json is None else RecordFile(json)
        flow = set_up(find_target(target), read_params(param or ()))
        code = _run(flow, record_file, logging.getLevelNamesMapping()[log_level])
    except CommandError as error:
        typer.echo(f"error: {error}", err=True)
        code = _REFUSED
    except KeyboardInterrupt:
        code = _INTERRUPTED
    raise typer.Exit(code)


def _run(flow: Flow[Any], record_file: RecordFile | None, log_level: int) -> int:
    progress = Progress()
    error = _execute(flow, progress, display_for(_console(sys.stderr), progress, log_level))
    if flow.status is RunStatus.PENDING and error is not None:
        if isinstance(error, Exception):
            raise CommandError(f"the flow cannot be executed: {error}") from error
        raise error
    if record_file is not None:
        record_file.write(flow.flow_run)
    if progress.error is not None and flow.status is RunStatus.FAILED:
        typer.echo(progress.error.traceback, err=True, nl=False)
    print_summary(_console(sys.stdout), flow, progress, None if record_file is None else str(record_file.path))
    return _exit_code(flow.status, error)


def _execute(flow: Flow[Any], progress: Progress, display: Display) -> BaseException | None:
    """Run the flow; the exception that it ended with."""
    try:
        with display, flow.add_listener(progress.adopt, EventType.FLOW_START), flow_events.subscribe(display):
            flow.execute()
    except BaseException as error:
        return error
    return flow.flow_error


def _exit_code(status: RunStatus, error: BaseException | None) -> int:
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED
    if isinstance(error, SystemExit):
        if isinstance(error.code, str):
            typer.echo(error.code, err=True)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0 if status is RunStatus.COMPLETED else 1


def _console(stream: TextIO) -> Console:
    """A console on the stream as it is now, whatever replaces it later; what it cannot encode is escaped."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    return Console(file=stream, width=None if stream.isatty() else _PLAIN_WIDTH, highlight=False)
