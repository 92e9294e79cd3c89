"""Values that come back from JSON as what they were.

What JSON has no form for, and is common in messages, is written as `{"$type": …, "$value": …}`; anything else is
refused, for work that is saved has to arrive as it was sent.
"""

import base64
import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any, Final
from uuid import UUID

from ..errors import GraphError

__all__ = ["from_json_form", "to_json_form"]

_TYPE: Final = "$type"
_VALUE: Final = "$value"

_WRITERS: Final[dict[type, tuple[str, Callable[[Any], Any]]]] = {
    tuple: ("tuple", list),
    set: ("set", list),
    frozenset: ("frozenset", list),
    bytes: ("bytes", lambda value: base64.b64encode(value).decode()),
    datetime: ("datetime", datetime.isoformat),
    date: ("date", date.isoformat),
    time: ("time", time.isoformat),
    timedelta: ("timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    Decimal: ("decimal", str),
    UUID: ("uuid", str),
}

_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "bytes": base64.b64decode,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda value: timedelta(*value),
    "decimal": Decimal,
    "uuid": UUID,
    "path": Path,
    "float": float,
    "dict": dict,
}


def to_json_form(value: Any, what: str) -> Any:
    """The value as JSON has it, with marks where JSON has no form for it.

    Args:
        value: The value.
        what: What it is, for the error.

    Raises:
        GraphError: It, or something in it, would not come back as what it is.
    """
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType] # it may be anything
    if value is None or kind in {bool, int, str}:
        return value
    if kind is float:
        return value if math.isfinite(value) else {_TYPE: "float", _VALUE: repr(value)}
    if kind is list:
        return [to_json_form(item, f"{what}[{number}]") for number, item in enumerate(value)]
    if kind is dict:
        return _dict_form(value, what)
    if isinstance(value, PurePath):
        return {_TYPE: "path", _VALUE: str(value)}
    if kind not in _WRITERS:
        raise GraphError(
            f"{what} is of type {kind.__qualname__}, which cannot be saved so that it comes back as it was. Send plain "
            "data: numbers, text, lists, dictionaries, dates, paths."
        )
    name, write = _WRITERS[kind]
    return {_TYPE: name, _VALUE: to_json_form(write(value), what)}


def _dict_form(value: dict[Any, Any], what: str) -> Any:
    if all(type(key) is str for key in value) and _TYPE not in value:
        return {key: to_json_form(item, f"{what}[{key!r}]") for key, item in value.items()}
    pairs = [[to_json_form(key, what), to_json_form(item, f"{what}[{key!r}]")] for key, item in value.items()]
    return {_TYPE: "dict", _VALUE: pairs}


def from_json_form(form: Any) -> Any:
    """The value that was written.

    Raises:
        GraphError: It carries a mark that is unknown here.
    """
    kind: Any = type(form)  # pyright: ignore[reportUnknownVariableType] # it may be anything
    if kind is list:
        return [from_json_form(item) for item in form]
    if kind is not dict:
        return form
    if _TYPE not in form:
        return {key: from_json_form(item) for key, item in form.items()}
    read = _READERS.get(form[_TYPE])
    if read is None:
        raise GraphError(f"a saved value is marked {form[_TYPE]!r}, wanted one of {sorted(_READERS)}.")
    return read(from_json_form(form.get(_VALUE)))
