"""Values that come back from JSON as what they were.

What JSON has no form for, and is common in messages, is written as `{"$type": …, "$value": …}`; anything else is
refused, for work that is saved has to arrive as it was sent.
"""

import math
from collections.abc import Callable
from typing import Any, Final

from ...errors import GraphError
from ..introspection import class_of, type_name
from .exact_types import TYPE_CODECS
from .json_leaves import safe_repr

__all__ = ["from_json_form", "to_json_form"]

_TYPE: Final = "$type"
_VALUE: Final = "$value"
_PARTS: Final = frozenset({_TYPE, _VALUE})
_BY_NAME: Final = {mark.name: mark for mark in TYPE_CODECS.values()}

_MAX_DEPTH: Final = 150
"""Levels of JSON; its readers go to 200, and the values are some levels deep in the job."""
_MAX_BITS: Final = 64
"""Of integers that every reader of JSON takes."""


class _RefusedError(Exception):
    """What is wrong, without where: that is added from the inside out, and only then."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place: list[str] = []

    def told(self, what: str) -> GraphError:
        return GraphError(f"{what}{''.join(reversed(self.place))} {self.reason}.")


def to_json_form(value: Any, what: str) -> Any:
    """The value as JSON has it, with marks where JSON has no form for it.

    Args:
        value: The value.
        what: What it is, for the error.

    Raises:
        GraphError: It, or something in it, would not come back as what it is.
    """
    try:
        return _form(value, _MAX_DEPTH)
    except _RefusedError as refused:
        raise refused.told(what) from None


def from_json_form(form: Any, what: str = "a saved value") -> Any:
    """The value that was written.

    Args:
        form: As JSON has it.
        what: What it is, for the error.

    Raises:
        GraphError: Something in it carries a mark that is unknown here, or that does not fit it.
    """
    try:
        return _value(form)
    except RecursionError as error:
        raise GraphError(f"{what} is too many levels deep.") from error
    except _RefusedError as refused:
        raise refused.told(what) from None


def _form(value: Any, room: int) -> Any:
    kind = class_of(value)
    if value is None or kind is bool or _is_plain(kind, value):
        return value
    if not room:
        raise _RefusedError(f"is more than {_MAX_DEPTH} levels deep, or holds itself")
    if kind is list:
        return _each(_form, enumerate(value), room - 1)
    if kind is dict:
        items: list[tuple[Any, Any]] = list(value.items())  # at once: a handler may be changing it
        if all(type(key) is str and key != _TYPE and _encodes(key) for key, _ in items):
            return dict(zip([key for key, _ in items], _each(_form, items, room - 1), strict=True))
    mark = TYPE_CODECS.get(kind)
    if mark is None:
        raise _RefusedError(
            f"is of type {type_name(value)}, which cannot be saved so that it comes back as it was. Send plain data: "
            "numbers, text, lists, dictionaries, dates, paths"
        )
    try:
        written = mark.write(value)
    except ValueError as error:
        raise _RefusedError(f"cannot be saved: it has {error}") from error
    return {_TYPE: mark.name, _VALUE: _form(written, room - 1)}


def _is_plain(kind: Any, value: Any) -> bool:
    """Whether it is text or a number that JSON has a form for."""
    if kind is str:
        return _encodes(value)
    if kind is int:
        return int.bit_length(value) <= _MAX_BITS
    return kind is float and math.isfinite(value)


def _encodes(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _value(form: Any, *_: int) -> Any:
    kind = class_of(form)
    if kind is list:
        return _each(_value, enumerate(form))
    if kind is not dict:
        return form
    if _TYPE not in form:
        return dict(zip(form, _each(_value, form.items()), strict=True))
    return _marked(form)


def _marked(form: dict[str, Any]) -> Any:
    name = form[_TYPE]
    mark = _BY_NAME.get(name) if isinstance(name, str) else None
    if mark is None or form.keys() != _PARTS:
        raise _RefusedError(f"is marked {safe_repr(name)}, wanted {_VALUE!r} and one of {sorted(_BY_NAME)}")
    inner = _value(form[_VALUE])
    if class_of(inner) is not mark.form:
        raise _RefusedError(f"is no {mark.name}: its {_VALUE!r} is of type {type_name(inner)}")
    try:
        return mark.read(inner)
    except Exception as error:  # of any kind, from the type that reads
        raise _RefusedError(f"is no {mark.name}: {error}") from error


def _each(convert: Callable[..., Any], items: Any, *room: int) -> list[Any]:
    converted: list[Any] = []
    for key, item in items:
        try:
            converted.append(convert(item, *room))
        except _RefusedError as refused:
            refused.place.append(f"[{safe_repr(key)}]")
            raise
    return converted
