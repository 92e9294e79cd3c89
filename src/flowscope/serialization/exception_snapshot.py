"""Exceptions on their way into the record.

A `Failure` keeps an exception as it was when it was caught: the object lives on, gathers notes and is raised again
elsewhere, but the record of an ended run does not change.
"""

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from .error_info import ErrorInfo
from .json_values import clean_text

__all__ = ["Failure", "RemoteTraceback", "add_note", "message_of", "summary_of"]

_OWN_FILES: Final = str(Path(__file__).parent.parent)
_MAX_CAUSES: Final = 50
_LISTS: Any = (list, tuple)


class RemoteTraceback(Exception):  # noqa: N818 - it is never raised
    """The cause of an exception that came from another process: what is known of it there."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info)
        self.info = info

    def __str__(self) -> str:
        return f"\n{self.info.traceback}"


class Failure:
    """An exception and what was known of it when it was caught."""

    __slots__ = ("_notes", "_traceback", "error")

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self._traceback: TracebackType | None = _raw(error, "__traceback__")
        self._notes = _notes_of(error)

    def info(self) -> ErrorInfo:
        """The exception as text."""
        return _describe(self.error, self._traceback, self._notes, _MAX_CAUSES)

    def text(self) -> str:
        """The traceback as Python prints it."""
        return _format(self.error, self._traceback, self._notes)


def message_of(error: BaseException) -> str:
    """The exception's text; one whose `str` raises is reported instead."""
    return _safe_text(error)


def summary_of(error: BaseException) -> str:
    """The exception in one line, as Python ends its traceback: the class, and the text if there is one."""
    name, message = type(error).__qualname__, message_of(error)
    return f"{name}: {message}" if message else name


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an exception, if it takes one."""
    try:
        error.add_note(note)
    except Exception:  # noqa: S110 - an exception that forbids attributes; it propagates without the note
        pass


def _raw(error: BaseException, name: str) -> Any:
    """An attribute that all exceptions have, whatever the exception's class makes of it."""
    return vars(BaseException)[name].__get__(error)


def _safe_text(value: object) -> str:
    try:
        return clean_text(str(value))
    except Exception as raised:
        return f"<{type(value).__qualname__} whose str raised {type(raised).__qualname__}>"


def _notes_of(error: BaseException) -> tuple[str, ...]:
    try:
        notes: Any = error.__notes__
        return tuple(map(_safe_text, notes)) if isinstance(notes, _LISTS) else ()
    except Exception:
        return ()


def _describe(
    error: BaseException, frames: TracebackType | None, notes: tuple[str, ...], causes_left: int
) -> ErrorInfo:
    cause: BaseException | None = _raw(error, "__cause__")
    if isinstance(cause, RemoteTraceback):
        told = cause.info.notes
        return cause.info.model_copy(update={"notes": [*told, *(note for note in notes if note not in told)]})
    if cause is None and not _raw(error, "__suppress_context__"):
        cause = _raw(error, "__context__")
    if causes_left == 0 or cause is error:
        cause = None
    kind = type(error)
    return ErrorInfo(
        type=_safe_text(kind.__qualname__),
        module=_safe_text(kind.__module__),
        message=message_of(error),
        traceback=_format(error, frames, notes),
        notes=list(notes),
        cause=None
        if cause is None
        else _describe(cause, _raw(cause, "__traceback__"), _notes_of(cause), causes_left - 1),
    )


def _format(error: BaseException, frames: TracebackType | None, notes: tuple[str, ...]) -> str:
    try:
        shown = traceback.TracebackException(type(error), error, frames, compact=True)
        shown.__notes__ = list(notes)
        _trim(shown)
        return clean_text("".join(shown.format()))
    except Exception:  # an exception that defends itself against being read
        lines = [*traceback.format_tb(frames), f"{summary_of(error)}\n"]
        return clean_text("".join(lines))


def _trim(shown: traceback.TracebackException) -> None:
    """Leave this library's frames out, so that recursion through tasks folds like any recursion."""
    link: traceback.TracebackException | None = shown
    while link is not None:
        users = [frame for frame in link.stack if not frame.filename.startswith(_OWN_FILES)]
        link.stack = traceback.StackSummary.from_list(users or list(link.stack))
        link = link.__cause__ or link.__context__
