"""Exceptions on their way into the record.

A `Failure` keeps an exception as it was when it was caught: the object lives on, gathers notes and is raised again
elsewhere, but the record of an ended run does not change.
"""

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from .error_info import ErrorInfo
from .introspection import class_of, has_base
from .json.json_leaves import clean_text
from .secrets.redaction import DEFAULT_REDACTOR, Redactor

__all__ = [
    "Failure",
    "Failures",
    "LatestFailure",
    "RemoteTraceback",
    "add_note",
    "message_of",
    "notes_of",
    "summary_of",
]

_OWN_FILES: Final = str(Path(__file__).parent.parent)
_MAX_CAUSES: Final = 50
_WITH_PARTS: Final[tuple[Any, ...]] = (BaseExceptionGroup, SyntaxError)
"""What a traceback shows more of than a line."""
_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"
_LISTS: Any = (list, tuple)


class RemoteTraceback(Exception):  # noqa: N818 - it is never raised
    """The cause of an exception that came from another process: what is known of it there."""

    def __init__(self, info: ErrorInfo, own: ErrorInfo | None = None, notes: int = 0) -> None:
        super().__init__(info, own, notes)
        self.info = info
        self.own: ErrorInfo = own or info
        """The part of it that no failure further inside has."""
        self.notes = notes
        """How many notes the exception had when it arrived."""

    def __str__(self) -> str:
        return f"\n{self.info.traceback}"


class Failure:
    """An exception and what was known of it when it was caught."""

    __slots__ = ("_description", "_inner", "_notes", "_traceback", "error")

    def __init__(
        self, error: BaseException, known: "Failures | None" = None, redactor: Redactor = DEFAULT_REDACTOR
    ) -> None:
        self.error: BaseException = error
        self._description = _Description(known, redactor if known is None else known.redactor)
        self._inner = None if known is None else known.of(error)
        self._traceback: TracebackType | None = _raw(error, "__traceback__")
        self._notes = notes_of(error)

    def info(self) -> ErrorInfo:
        """The exception as text."""
        return self._description.info(self.error, self._traceback, self._new_notes(), self._inner, _MAX_CAUSES)

    def text(self) -> str:
        """The traceback as Python prints it, of frames that no failure further inside has."""
        return self._description.masked_text(self.error, self._traceback, self._new_notes(), self._inner)

    def frames_before(self, frames: TracebackType | None) -> int | None:
        """How many frames of a later traceback of the same exception come before those of this one; None for all."""
        number = 0
        while frames is not None:
            if frames is self._traceback:
                return number
            frames, number = frames.tb_next, number + 1
        return None

    def _new_notes(self) -> tuple[str, ...]:
        """The notes that were added after the failure further inside had been caught."""
        told = () if self._inner is None else self._inner.all_notes
        return self._notes[len(told) :] if self._notes[: len(told)] == told else self._notes

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Its notes, with those of the failures further inside."""
        return self._notes


class Failures(dict[int, Failure]):
    """The failures of the tasks of one run, by execution order.

    A task whose exception comes from a task inside it records its own frames and notes, so that the record of a chain
    of tasks grows with the length of the chain and not with its square.
    """

    __slots__ = ("_latest", "redactor")

    redactor: Redactor
    """What masks the texts of the errors; set by the run, as a call for it would be a call in every empty flow."""
    _latest: dict[int, Failure]
    """By the identity of the exception; there is none before the first failure."""

    def keep(self, order: int, failure: Failure) -> None:
        """Keep the failure of a task."""
        if not self:
            self._latest = {}
        self[order] = failure
        self._latest[id(failure.error)] = failure  # which keeps the error alive, and its identity its own

    def of(self, error: BaseException) -> Failure | None:
        """The latest failure with that very exception."""
        return self._latest.get(id(error)) if self else None


class LatestFailure(Failures):
    """The latest failure alone: enough for the tasks around it to record their own part, in constant memory."""

    __slots__ = ()

    def keep(self, order: int, failure: Failure) -> None:
        """Keep a failure in place of the earlier one."""
        self.clear()
        super().keep(order, failure)


def message_of(error: BaseException, redactor: Redactor = DEFAULT_REDACTOR) -> str:
    """The exception's text, without secrets; one whose `str` raises is reported instead."""
    masked = redactor.error_text(error)
    return _safe_text(error) if masked is None else clean_text(masked)


def summary_of(error: BaseException, redactor: Redactor = DEFAULT_REDACTOR) -> str:
    """The exception in one line, as Python ends its traceback: the class, and the text if there is one."""
    name, message = type(error).__qualname__, message_of(error, redactor)
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


def notes_of(error: BaseException) -> tuple[str, ...]:
    """The notes of an exception; none, if it does not tell."""
    try:
        notes: Any = error.__notes__
        return tuple(map(_safe_text, notes)) if isinstance(notes, _LISTS) else ()
    except Exception:
        return ()


def _next_of(error: BaseException) -> tuple[BaseException | None, str]:
    """Its `__cause__`, else its `__context__` unless that is suppressed; and how a traceback introduces it."""
    cause: BaseException | None = _raw(error, "__cause__")
    if cause is not None:
        return (None if cause is error else cause), _CAUSE
    context: BaseException | None = None if _raw(error, "__suppress_context__") else _raw(error, "__context__")
    return (None if context is error else context), _CONTEXT


class _Description:
    """The making of texts of exceptions, some of which other failures of the same run have told already."""

    __slots__ = ("_known", "_redactor")

    def __init__(self, known: Failures | None, redactor: Redactor) -> None:
        self._known = known
        self._redactor = redactor

    def info(
        self,
        error: BaseException,
        frames: TracebackType | None,
        notes: tuple[str, ...],
        inner: Failure | None,
        causes_left: int,
    ) -> ErrorInfo:
        """The exception; of one that a failure further inside has told, its own frames, and no frames of its causes."""
        cause, _ = _next_of(error)
        if isinstance(cause, RemoteTraceback) and inner is None:
            return self._remote_info(cause, notes)
        text = self.text(error, frames, notes, inner)
        return self._info(error, text, notes, self._cause(cause, inner, causes_left))

    def _info(self, error: BaseException, text: str, notes: tuple[str, ...], cause: ErrorInfo | None) -> ErrorInfo:
        kind = type(error)
        return ErrorInfo(
            type=_safe_text(kind.__qualname__),
            module=_safe_text(kind.__module__),
            message=message_of(error, self._redactor),
            traceback=self._redactor.text(text),
            notes=[*map(self._redactor.text, notes)],
            cause=cause,
        )

    def _cause(self, cause: BaseException | None, told: Failure | None, left: int) -> ErrorInfo | None:
        """A cause, with its own frames: those of its causes are in the traceback of the exception, and in theirs."""
        if cause is None or left == 0 or (told is not None and isinstance(cause, RemoteTraceback)):
            return None
        if told is not None:
            return self._info(cause, "", (), None)
        inner = None if self._known is None else self._known.of(cause)
        further, _ = _next_of(cause)
        if isinstance(further, RemoteTraceback) and inner is None:
            return self._remote_info(further, notes_of(cause))
        notes, frames = () if inner is not None else notes_of(cause), _raw(cause, "__traceback__")
        has_parts = inner is None and any(has_base(class_of(cause), base) for base in _WITH_PARTS)
        text = (
            self._whole_text(cause, frames, notes)
            if has_parts
            else clean_text("".join(self._own_lines(cause, frames, notes, inner)))
        )
        return self._info(cause, text, notes, None if inner is not None else self._cause(further, None, left - 1))

    def masked_text(
        self, error: BaseException, frames: TracebackType | None, notes: tuple[str, ...], inner: Failure | None
    ) -> str:
        """The traceback without secrets."""
        return self._redactor.text(self.text(error, frames, notes, inner))

    def text(
        self, error: BaseException, frames: TracebackType | None, notes: tuple[str, ...], inner: Failure | None
    ) -> str:
        """The traceback as Python prints it, up to the exceptions that a failure further inside has told."""
        chain = self._chain(error, inner)
        if chain is None:
            return self._whole_text(error, frames, notes)
        lines = self._own_lines(error, frames, notes, inner)
        for link, how, known in chain:
            lines = [*self._own_lines(link, _raw(link, "__traceback__"), (), known), how, *lines]
        return clean_text("".join(lines))

    def _chain(
        self, error: BaseException, inner: Failure | None
    ) -> list[tuple[BaseException, str, Failure | None]] | None:
        """The causes down to one that is told elsewhere; None if no exception is."""
        chain: list[tuple[BaseException, str, Failure | None]] = []
        seen, known = {id(error)}, self._known
        while inner is None:
            cause, how = _next_of(error)
            if cause is None or id(cause) in seen or known is None:
                return None
            seen.add(id(cause))
            inner = known.of(cause)
            chain.append((cause, how, inner))
            error = cause
        return chain

    def _own_lines(
        self, error: BaseException, frames: TracebackType | None, notes: tuple[str, ...], inner: Failure | None
    ) -> list[str]:
        """The frames outside the failure further inside, and the exception, without its causes."""
        limit = None if inner is None else inner.frames_before(frames)
        stack = traceback.TracebackException(Exception, None, frames, limit=limit).stack  # type: ignore[arg-type]
        lines = ["Traceback (most recent call last):\n", *_users_frames(stack).format()] if stack else []
        name = _safe_text(type(error).__qualname__)
        module = _safe_text(type(error).__module__)
        shown = name if module in {"__main__", "builtins"} else f"{module}.{name}"
        message = message_of(error, self._redactor)
        return [*lines, f"{shown}: {message}\n" if message else f"{shown}\n", *(f"{note}\n" for note in notes)]

    def _whole_text(self, error: BaseException, frames: TracebackType | None, notes: tuple[str, ...]) -> str:
        try:
            shown = traceback.TracebackException(type(error), error, frames, compact=True)
            shown.__notes__ = list(notes)
            self._refine(shown, error)
            return clean_text("".join(shown.format()))
        except Exception:  # an exception that defends itself against being read
            lines = [*traceback.format_tb(frames), f"{summary_of(error, self._redactor)}\n"]
            return clean_text("".join(lines))

    def _remote_info(self, cause: RemoteTraceback, notes: tuple[str, ...]) -> ErrorInfo:
        """What is known of an exception from another process, with the notes that it has got here."""
        info = cause.info if self._known is None else cause.own
        return info.model_copy(update={"notes": [*info.notes, *notes[cause.notes :]]})

    def _refine(self, shown: traceback.TracebackException, error: BaseException) -> None:
        """Leave this library's frames out, so that recursion through tasks folds like any recursion; and secrets."""
        waiting: list[tuple[traceback.TracebackException | None, BaseException | None]] = [(shown, error)]
        while waiting:
            link, found = waiting.pop()
            if link is None or found is None:
                continue
            link.stack = _users_frames(link.stack)
            masked = self._redactor.error_text(found)
            if masked is not None:
                vars(link)["_str"] = masked
            waiting.append((link.__cause__, _raw(found, "__cause__")))
            waiting.append((link.__context__, _raw(found, "__context__")))
            parts: Any = found
            if link.exceptions:
                waiting.extend(zip(link.exceptions, parts.exceptions, strict=False))


def _users_frames(stack: traceback.StackSummary) -> traceback.StackSummary:
    users = [frame for frame in stack if not frame.filename.startswith(_OWN_FILES)]
    return traceback.StackSummary.from_list(users or list(stack))
