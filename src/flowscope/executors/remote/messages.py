"""The messages of a worker process: facts as they happen, and last of all an `Outcome`.

All are pickled. A value that cannot be pickled is named in a `SerializationError`, or, where it is only recorded, goes as
the JSON form that the record shows.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ...engine.ports import ArtifactFact, LogLine, ResultFact
from ...errors import SerializationError
from ...model.status import RunStatus
from ...serialization.error_info import ErrorInfo
from ...serialization.exception_snapshot import Failure, message_of
from ...serialization.introspection import class_of
from ...serialization.json.json_values import to_json_value
from ...serialization.transport.exception_transport import pack_error
from ...serialization.transport.pickling import Unsent, to_pickle, try_pickle, unpickle

__all__ = [
    "Entered",
    "Left",
    "Message",
    "Outcome",
    "Probe",
    "Progressed",
    "Ready",
    "Retried",
    "Revised",
    "Started",
    "TurnedAsync",
    "Unread",
    "pack_message",
    "pack_outcome",
    "unpack_message",
]


class Ready(NamedTuple):
    """The worker waits for work."""


class Started(NamedTuple):
    """The attempt begins."""

    ticks: int
    anchor: int


class TurnedAsync(NamedTuple):
    """The function has returned a coroutine of its own, with which the attempt goes on."""


class Entered(NamedTuple):
    """A task called by it begins."""

    order: int
    parent: int
    """The execution order of the task that called it, there."""
    task_id: str
    task_name: str
    tags: tuple[str, ...]
    names: tuple[str, ...]
    """Of its positional parameters."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    executor: str
    ticks: int
    run_name: str | None


class Retried(NamedTuple):
    """An attempt of a task called by it has failed, and another one follows."""

    order: int
    attempt: int
    delay: float
    error: ErrorInfo
    started: int
    ended: int


class Progressed(NamedTuple):
    """A task has reported its progress."""

    order: int
    done: float
    total: float | None
    message: str


class Revised(NamedTuple):
    """A task has another name or error policy than before."""

    order: int
    task_name: str
    raise_on_error: bool


class Left(NamedTuple):
    """A task called by it has ended."""

    order: int
    status: RunStatus
    attempt: int
    value: Any
    info: ErrorInfo | None
    ticks: int
    yield_count: int | None


class Unread(NamedTuple):
    """Something that was sent cannot be read."""

    what: str
    value_type: str
    reason: str


class Probe(NamedTuple):
    """Asks which part of a request cannot be read: their names and types, and each part by itself."""

    parts: list[tuple[str, str, bytes]]


class Outcome(NamedTuple):
    """The attempt is over."""

    packed: bytes
    """The value or the error."""
    value_type: str
    """Of that."""
    info: ErrorInfo | None
    """What there is to know of the error; None if there is none."""
    own: ErrorInfo | None = None
    """The part of it that no task called by it has."""


Message = (
    Ready
    | Started
    | TurnedAsync
    | Entered
    | Retried
    | Progressed
    | Revised
    | Left
    | LogLine
    | ArtifactFact
    | ResultFact
    | Unread
    | Outcome
)


def pack_outcome(
    value: object, error: BaseException | None, info: ErrorInfo | None, own: ErrorInfo | None, task_name: str
) -> bytes:
    """Pickle the outcome of an attempt; an error that does not pickle is told as text."""
    if error is not None:
        return to_pickle(Outcome(pack_error(error), type(error).__qualname__, info, own))
    packed = try_pickle(value)
    if isinstance(packed, Unsent):
        refusal = SerializationError(f"the return value of task {task_name!r}", *packed)
        return pack_outcome(None, refusal, Failure(refusal).info(), None, task_name)
    return to_pickle(Outcome(packed, type(value).__qualname__, None))


def pack_message(message: Message) -> bytes:
    """Pickle what comes back; values that a task has recorded by themselves, so that the message is read in any case."""
    fields: Any = message
    names = _VALUES.get(class_of(fields), ())
    if names:
        fields = fields._replace(**{name: _payload(getattr(fields, name)) for name in names})
    return to_pickle(fields)


def unpack_message(packed: bytes) -> Message:
    """The message; a value in it that cannot be read here is described."""
    fields = unpickle(packed)
    names = _VALUES.get(class_of(fields), ())
    message: Message = (
        fields._replace(**{name: _unloaded(getattr(fields, name)) for name in names}) if names else fields
    )
    return message


class _Payload(NamedTuple):
    """A value, packed by itself."""

    packed: bytes
    value_type: str


_VALUES: Final[dict[type, tuple[str, ...]]] = {
    Entered: ("args", "kwargs"),
    Left: ("value",),
    ArtifactFact: ("data",),
    ResultFact: ("value",),
}
"""What messages hold of the user's."""


def _payload(value: Any) -> _Payload:
    kind = class_of(value)
    sent = try_pickle(value)
    if isinstance(sent, Unsent):
        shown = to_json_value(value)
        sent = to_pickle(tuple(shown) if kind is tuple else shown)
    return _Payload(sent, f"{kind.__module__}.{kind.__qualname__}")


def _unloaded(payload: _Payload) -> Any:
    try:
        return unpickle(payload.packed)
    except BaseException as error:
        described = {"__repr__": f"<unreadable here: {message_of(error)}>", "__type__": payload.value_type}
        return (described,) if payload.value_type == "builtins.tuple" else described
