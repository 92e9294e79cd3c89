"""What travels between the process in which a flow runs and the one that makes an attempt of one of its tasks.

There goes a `Parcel`; back come messages about what happens, as it happens, and last of all an `Outcome`. All are
pickled. What cannot be pickled is named in a `SerializationError`, or, where it is only recorded, goes as the JSON form
that the record shows.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..engine.failure import message_of
from ..engine.journal import FoundArtifact, FoundResult, Line
from ..errors import SerializationError
from ..model.config import FlowConfig
from ..model.records import ErrorInfo
from ..model.status import RunStatus
from ..model.values import to_json_value

__all__ = [
    "Entered",
    "Left",
    "Message",
    "Outcome",
    "Parcel",
    "Ready",
    "Retried",
    "Started",
    "Unread",
    "Unsent",
    "pack",
    "pack_items",
    "pack_message",
    "unpack",
]


class Unsent(NamedTuple):
    """Something that cannot travel, and why."""

    value_type: str
    reason: str


class Parcel(NamedTuple):
    """All that an attempt needs."""

    function: Callable[..., Any]
    """The task function."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    attempt: int
    timeout: float | None
    task_id: str
    token: str
    """What makes the ids of the tasks that it calls unique."""
    flow_id: str
    flow_name: str
    config: FlowConfig
    tags: tuple[str, ...]
    data: dict[str, bytes | Unsent]
    """A snapshot of the shared data, item by item."""
    provided: dict[str, bytes | Unsent]
    levels: dict[str, int]
    """The levels of loggers, by name."""


class Ready(NamedTuple):
    """The worker waits for work."""


class Started(NamedTuple):
    """The attempt begins."""

    ticks: int
    anchor: int


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


class Retried(NamedTuple):
    """An attempt of a task called by it has failed, and another one follows."""

    order: int
    data: dict[str, Any]


class Left(NamedTuple):
    """A task called by it has ended."""

    order: int
    status: RunStatus
    attempt: int
    value: Any
    info: ErrorInfo | None
    ticks: int


class Unread(NamedTuple):
    """The parcel could not be read."""

    value_type: str
    reason: str


class Outcome(NamedTuple):
    """The attempt is over."""

    value: Any
    error: BaseException | None
    info: ErrorInfo | None
    """What there is to know of the error."""


Message = Ready | Started | Entered | Retried | Left | Line | FoundArtifact | FoundResult | Unread | Outcome


def pack(parcel: Parcel, task_name: str, parameters: tuple[str, ...]) -> bytes:
    """Pickle a parcel.

    Raises:
        SerializationError: An argument, the function or the config cannot be pickled.
    """
    try:
        return pickle.dumps(parcel, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise _culprit(parcel, task_name, parameters, error) from error


def _culprit(parcel: Parcel, task_name: str, parameters: tuple[str, ...], error: Exception) -> SerializationError:
    """Find out what cannot be pickled."""
    names = [*parameters, *(f"#{position + 1}" for position in range(len(parameters), len(parcel.args)))]
    parts: list[tuple[str, object]] = [
        *((f"argument {name!r} of task {task_name!r}", value) for name, value in zip(names, parcel.args, strict=False)),
        *((f"argument {name!r} of task {task_name!r}", value) for name, value in parcel.kwargs.items()),
        (f"the function of task {task_name!r}", parcel.function),
        (f"the config of flow {parcel.flow_name!r}", parcel.config),
    ]
    for what, value in parts:
        sent = _try_pickle(value)
        if isinstance(sent, Unsent):
            return SerializationError(what, *sent)
    return SerializationError(f"a call of task {task_name!r}", type(parcel).__qualname__, message_of(error))


def _try_pickle(value: object) -> bytes | Unsent:
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return Unsent(type(value).__qualname__, f"{type(error).__qualname__}: {message_of(error)}")


def pack_items(items: Mapping[str, object]) -> dict[str, bytes | Unsent]:
    """Pickle each of the values, as far as that is possible."""
    return {name: _try_pickle(value) for name, value in dict(items).items()}


def pack_message(message: Message, task_name: str) -> bytes:
    """Pickle what comes back."""
    try:
        return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        if isinstance(message, Outcome):
            value_type, reason = type(message.value).__qualname__, f"{type(error).__qualname__}: {message_of(error)}"
            refusal = SerializationError(f"the return value of task {task_name!r}", value_type, reason)
            return pickle.dumps(Outcome(None, refusal, None), pickle.HIGHEST_PROTOCOL)
        return pickle.dumps(_as_recorded(message), pickle.HIGHEST_PROTOCOL)


def _as_recorded(message: Any) -> Any:
    """The message with values in the form in which records show them."""
    changes = {name: to_json_value(value) for name, value in message._asdict().items() if _try_pickle_fails(value)}
    return message._replace(**changes)


def _try_pickle_fails(value: object) -> bool:
    return isinstance(_try_pickle(value), Unsent)


def unpack(packed: bytes) -> Any:
    """What was packed."""
    return pickle.loads(packed)  # noqa: S301 - from a process that this library has started
