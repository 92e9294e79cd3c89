"""The standard streams of a command that nobody may be reading."""

import os
import sys
from typing import IO, Final

__all__ = ["open_missing_streams", "show_cursor", "tell", "try_write"]

_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_missing_streams() -> None:
    """Put the null device where the process has no standard stream: a service, `>&-`, `pythonw`.

    The file descriptor is taken as well. Otherwise the next file that is opened would get it, and receive what a child
    process prints.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free: that of the stream
            os.set_inheritable(null, null == number)
            setattr(sys, name, os.fdopen(null, mode, encoding="utf-8"))


def try_write(stream: IO[str], text: str = "") -> OSError | None:
    """Write the text, and what waits in the buffer.

    Returns:
        What prevented it. Nothing can be written to the stream any more then, and the interpreter does not complain of
        that when it exits.
    """
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        _discard(stream)
        return error
    except ValueError:  # it is closed
        return OSError("the stream is closed")
    return None


def tell(text: str) -> None:
    """Write a line to the standard error, if somebody reads it."""
    try_write(sys.stderr, f"{text}\n")


def show_cursor() -> None:
    """Give the terminal its cursor back, past all buffers and locks."""
    try:
        number = sys.stderr.fileno()
        if os.isatty(number):
            os.write(number, b"\x1b[?25h")
    except (OSError, ValueError):
        return


def _discard(stream: IO[str]) -> None:
    """Let the null device take what is left in the buffer."""
    try:
        number = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
    except (OSError, ValueError):
        return
    os.dup2(null, number)
    os.close(null)
