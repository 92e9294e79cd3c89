"""Pickles for other processes: the one place that makes and reads them, and finds the part that has no pickle."""

# ruff: noqa: S301 - pickles that are read come from processes that this library has started
import io
import pickle
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any, NamedTuple

from ...errors import SerializationError
from ..exception_snapshot import summary_of
from .function_copies import COPIES
from .named_objects import object_behind, wrapped_layers

__all__ = [
    "Unsent",
    "first_refusal",
    "pack_items",
    "refusal",
    "to_pickle",
    "to_pickle_behind_decorators",
    "try_pickle",
    "unpickle",
]


class Unsent(NamedTuple):
    """The description of a value that cannot travel."""

    value_type: str
    reason: str


def to_pickle(value: object) -> bytes:
    """The value as a pickle; raises what pickle raises."""
    if not COPIES:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    buffer = io.BytesIO()
    _WithCopies(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


class _WithCopies(pickle.Pickler):
    """Writes copies of functions as their originals and what differs."""

    def reducer_override(self, obj: Any) -> Any:
        known = COPIES.get(obj) if isinstance(obj, FunctionType) else None
        return NotImplemented if known is None else known


def to_pickle_behind_decorators(value: object) -> bytes:
    """Like `to_pickle`; a function behind the decorated one that has its name pickles, too."""
    buffer = io.BytesIO()
    _BehindDecorators(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


class _BehindDecorators(_WithCopies):
    """Writes a function behind a decorated one as its name, and the number of layers above it."""

    def reducer_override(self, obj: Any) -> Any:
        copied = super().reducer_override(obj)
        if copied is not NotImplemented:
            return copied
        if isinstance(obj, FunctionType):
            for depth, layer in enumerate(wrapped_layers(obj.__module__, obj.__qualname__)):
                if layer is obj and depth:
                    return object_behind, (obj.__module__, obj.__qualname__, depth)
        return NotImplemented


def unpickle(packed: bytes) -> Any:
    """The value of a pickle; raises whatever the classes in it raise."""
    return pickle.loads(packed)


def try_pickle(value: object, to_bytes: Callable[[object], bytes] = to_pickle) -> bytes | Unsent:
    """The value as a pickle, or the reason why it has none."""
    try:
        return to_bytes(value)
    except Exception as error:
        return Unsent(type(value).__qualname__, summary_of(error))


def pack_items(items: Mapping[str, object]) -> dict[str, bytes | Unsent]:
    """Each of the values as a pickle, as far as that is possible."""
    return {name: try_pickle(value) for name, value in dict(items).items()}


def refusal(what: str, value: object, error: BaseException) -> SerializationError:
    """The error of a value that pickle has refused to write or to read."""
    return SerializationError(what, type(value).__qualname__, summary_of(error))


def first_refusal(
    parts: Iterable[tuple[str, object]], to_bytes: Callable[[object], bytes] = to_pickle
) -> SerializationError | None:
    """The error of the first of these parts, each with its description, that has no pickle; None if all have one."""
    for what, value in parts:
        packed = try_pickle(value, to_bytes)
        if isinstance(packed, Unsent):
            return SerializationError(what, *packed)
    return None
