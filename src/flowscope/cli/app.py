"""The commands."""

import logging
import sys
from collections.abc import Iterable
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console

from ..engine.events.bus import flow_events
from ..engine.flow_base import state_of
from ..engine.live import Flow
from ..model.events import EventType
from ..model.status import RunStatus
from .errors import CommandError
from .interrupts import Interrupts
from .last_resort import captured_records_are_shown_once
from .output.display import Display, display_for
from .output.failed_inputs import failed_inputs_are_kept
from .output.progress import Progress
from .output.streams import tell, try_write
from .output.summary import print_summary
from .output.text import plain, plain_lines
from .parameters import read_params, set_up
from .record_file import RecordFile
from .target import find_target

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, rich_markup_mode="markdown"
)

_REFUSED = 2
_PLAIN_WIDTH = 120


class LogLevel(StrEnum):
    """The levels of the log."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"flowscope {version('flowscope')}")
        raise typer.Exit


@app.callback()
def flowscope(
    *,
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
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
    ] = LogLevel.INFO,
) -> None:
    """Run a flow, show its progress and a summary, and write its record.

    The exit code is 0 if the flow completed, 1 if it failed, 130 if it was interrupted, 143 if it was terminated, its
    own if it called `sys.exit`, and 2 if it was not run or its record could not be written.
    """
    with Interrupts() as interrupts:
        try:
            record_file = None if json is None else RecordFile(json)
            flow = _find_flow(target, param or (), interrupts)
            code = _run(flow, record_file, logging.getLevelNamesMapping()[log_level], interrupts)
        except CommandError as error:
            tell(f"error: {plain(str(error))}")
            code = interrupts.exit_code if interrupts.is_final else _REFUSED
        except KeyboardInterrupt:
            code = interrupts.exit_code
    raise typer.Exit(code)


def _find_flow(target: str, params: Iterable[str], interrupts: Interrupts) -> Flow[Any]:
    """The flow that is to be run; an error that a signal has caused, or an import that ignores one, is an interrupt."""
    try:
        flow = set_up(find_target(target), read_params(params))
        state_of(flow).expected = False  # a signal may keep it from being executed
        return flow
    finally:
        interrupts.check()


def _run(flow: Flow[Any], record_file: RecordFile | None, log_level: int, interrupts: Interrupts) -> int:
    progress = Progress()
    error = _execute(flow, progress, display_for(_console(sys.stderr), progress, log_level), interrupts)
    if flow.status is RunStatus.PENDING and error is not None:
        if isinstance(error, Exception):
            raise CommandError(f"the flow cannot be executed: {error}") from error
        raise error
    refusal = None if record_file is None else _try_keep(flow, record_file)
    if progress.error is not None and flow.status is RunStatus.FAILED:
        tell(f"  {plain_lines(progress.error.traceback, '  ')}")
    _show_summary(flow, progress, None if record_file is None or refusal is not None else str(record_file.path))
    if refusal is not None:
        raise refusal
    return _exit_code(flow.status, error, interrupts)


def _execute(flow: Flow[Any], progress: Progress, display: Display, interrupts: Interrupts) -> BaseException | None:
    """Run the flow; the exception that it ended with. Then no interrupt prevents that its outcome is told."""
    try:
        with display, flow.add_listener(progress.adopt, EventType.FLOW_START), flow_events.subscribe(display):
            try:
                with captured_records_are_shown_once(), failed_inputs_are_kept(progress):
                    flow.execute()
            finally:
                interrupts.hold()
    except BaseException as error:
        interrupts.hold()
        return error
    return flow.flow_error


def _try_keep(flow: Flow[Any], record_file: RecordFile) -> CommandError | None:
    """Write the record; what prevented it, which is told when the summary has been shown."""
    try:
        record_file.write(flow.flow_run)
    except CommandError as error:
        return error
    return None


def _show_summary(flow: Flow[Any], progress: Progress, record: str | None) -> None:
    try:
        print_summary(_console(sys.stdout), flow, progress, record)
    except OSError as caught:
        error: OSError | None = caught
        try_write(sys.stdout)
    else:
        error = try_write(sys.stdout)
    if error is not None and not isinstance(error, BrokenPipeError):
        tell(f"the summary cannot be written: {error.strerror or error}")


def _exit_code(status: RunStatus, error: BaseException | None, interrupts: Interrupts) -> int:
    if status is RunStatus.COMPLETED:
        return 0
    if isinstance(error, KeyboardInterrupt) or (status is RunStatus.CANCELLED and interrupts.came):
        return interrupts.exit_code
    if isinstance(error, SystemExit):
        if isinstance(error.code, str):
            tell(plain_lines(error.code, "  "))
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 1


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise the error, which is being handled: it does not end the command."""
        raise  # noqa: PLE0704


def _console(stream: TextIO) -> Console:
    """A console on the stream as it is now, whatever replaces it later; what it cannot encode is escaped."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    return _Console(file=stream, width=None if stream.isatty() else _PLAIN_WIDTH, highlight=False)
