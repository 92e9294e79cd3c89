"""The command line: `flowscope run TARGET`, or `python -m flowscope`. It needs the extra `cli`."""

import signal
import sys
import threading

from .output.streams import open_missing_streams, try_write

__all__ = ["main"]

_NEEDED = frozenset({"typer", "rich"})
_SIGNALLED = 128
_INTERRUPTED = _SIGNALLED + 2


def main() -> None:
    """Run the command line, and exit with its code: 2, with a message, where the extra `cli` is not installed."""
    open_missing_streams()
    try:
        from .app import app  # noqa: PLC0415 - it needs the extra, and saying so does not
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _NEEDED:
            raise
        message = f'error: the command line needs {error.name!r}, which is not installed: pip install "flowscope[cli]"'
        print(message, file=sys.stderr)  # noqa: T201 - it is what this function says
        sys.exit(2)
    try:
        app(prog_name="flowscope")
    except SystemExit as leaving:
        if isinstance(leaving.code, int) and leaving.code > _SIGNALLED:
            _end_at_next_interrupt()
        raise
    finally:
        for stream in (sys.stdout, sys.stderr):
            try_write(stream)


def _end_at_next_interrupt() -> None:
    """Let another Ctrl-C end an interpreter that waits, after an interrupt, for the threads of the user."""
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
