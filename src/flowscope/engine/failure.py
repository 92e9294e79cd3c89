"""Exceptions on their way into the record.

A `Failure` keeps an exception as it was when it was caught: the object lives on, gathers notes and is raised again
elsewhere, but the record of an ended run does not change.
"""

import traceback
from pathlib import Path
from types import TracebackType
from typing import Final

from ..model.records import ErrorInfo
from ..model.values import clean_text

__all__ = ["Failure", "add_note", "message_of"]

_OWN_FILES: Final = str(Path(__file__).parent.parent)
_MAX_CAUSES: Final = 50


class Failure:
    """An exception and what was known of it when it was caught."""

    __slots__ = ("_notes", "_traceback", "error")

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self._traceback = error.__traceback__
        self._notes = _notes_of(error)

    def info(self) -> ErrorInfo:
        """The exception as text."""
        return _describe(self.error, _without_own_frames(self._traceback), self._notes, _MAX_CAUSES)

    def text(self) -> str:
        """The traceback as Python prints it."""
        return _format(self.error, _without_own_frames(self._traceback), self._notes)


def message_of(error: BaseException) -> str:
    """The exception's text; one whose `str` raises is reported instead."""
    try:
        return clean_text(str(error))
    except Exception as raised:
        return f"<{type(error).__qualname__} whose str raised {type(raised).__qualname__}>"


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an exception, if it takes one."""
    try:
        error.add_note(note)
    except Exception:  # noqa: S110 - an exception that forbids attributes; it propagates without the note
        pass


def _notes_of(error: BaseException) -> tuple[str, ...]:
    notes: list[object] = list(getattr(error, "__notes__", ()))
    return tuple(clean_text(str(note)) for note in notes)


def _describe(
    error: BaseException, frames: TracebackType | None, notes: tuple[str, ...], causes_left: int
) -> ErrorInfo:
    cause = error.__cause__
    if cause is None and not error.__suppress_context__:
        cause = error.__context__
    if causes_left == 0 or cause is error:
        cause = None
    kind = type(error)
    return ErrorInfo(
        type=kind.__qualname__,
        module=kind.__module__,
        message=message_of(error),
        traceback=_format(error, frames, notes),
        notes=list(notes),
        cause=None if cause is None else _describe(cause, cause.__traceback__, _notes_of(cause), causes_left - 1),
    )


def _format(error: BaseException, frames: TracebackType | None, notes: tuple[str, ...]) -> str:
    try:
        shown = traceback.TracebackException(type(error), error, frames, compact=True)
        shown.__notes__ = list(notes)
        return clean_text("".join(shown.format()))
    except Exception as raised:  # such as a source file that changed meanwhile, or a hostile __cause__
        return f"{type(error).__qualname__}: {message_of(error)} (its traceback cannot be shown: {raised!r})\n"


def _without_own_frames(frames: TracebackType | None) -> TracebackType | None:
    """The traceback from the user's first frame on."""
    inner = frames
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(_OWN_FILES):
        inner = inner.tb_next
    return inner or frames
