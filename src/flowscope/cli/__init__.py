"""The command line: `flowscope run TARGET`. It needs the extra `cli`."""

import sys

from .streams import open_missing_streams, try_write

__all__ = ["main"]

_NEEDED = frozenset({"typer", "rich"})


def main() -> None:
    """Run the command line, and exit with its code: 2, with a message, where the extra `cli` is not installed."""
    open_missing_streams()
    try:
        from .app import app  # noqa: PLC0415 - it needs the extra, and saying so does not
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _NEEDED:
            raise
        message = f'error: the command line needs {error.name!r}, which is not installed: pip install "flowscope[cli]"'
        print(message, file=sys.stderr)  # noqa: T201 - it is what this function says
        sys.exit(2)
    try:
        app(prog_name="flowscope")
    finally:
        for stream in (sys.stdout, sys.stderr):
            try_write(stream)
