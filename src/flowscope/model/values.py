"""The JSON form of any value: the one place that decides how users' values are written.

Values are held by reference and only turned into JSON when a record is serialised. What Pydantic writes natively is
written as Pydantic does; everything else is described by its `repr` and type. Nothing here can fail, consume an
iterator or change a value.
"""

import base64
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import fields
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from re import Pattern
from typing import Any, Final, cast
from uuid import UUID

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema, to_jsonable_python

__all__ = ["RECORDED", "clean_text", "safe_repr", "to_json_value", "type_name"]

MAX_DEPTH: Final = 100
MAX_REPR: Final = 1_000

_DICT: Any = dict
_MODEL: Any = BaseModel
_LIST: Any = (list, tuple, set, frozenset, deque)
_NATIVE: Any = (date, time, timedelta, Decimal, UUID, Pattern, complex)
_TEXTUAL: Final = frozenset({"fractions", "ipaddress", "pydantic.networks", "pydantic.types", "zoneinfo"})
"""Modules whose types Pydantic writes as `str(value)`, named so that they need not be imported."""
_MAX_INT: Final = 2**1024
"""Beyond this an integer is described: its decimal digits may pass the interpreter's limit."""


def type_name(value: object) -> str:
    """The dotted name of the value's type."""
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def safe_repr(value: object) -> str:
    """The value's `repr`, at most 1,000 characters of it; a `repr` that raises is reported instead."""
    try:
        return clean_text(repr(value)[:MAX_REPR])
    except Exception as error:
        return f"<{type_name(value)} whose repr raised {type_name(error)}>"


def clean_text(text: str) -> str:
    """The text with lone surrogates escaped, so that it can be encoded."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def to_json_value(value: object) -> Any:
    """The value as `None`, `bool`, `int`, `float`, `str`, `list` and `dict` only."""
    if value is None or value is True or value is False:
        return value
    try:
        return _Walk().write(value)
    except Exception:
        return _described(value)


def _described(value: object, text: str | None = None) -> dict[str, str]:
    return {"__repr__": safe_repr(value) if text is None else text, "__type__": type_name(value)}


class _Walk:
    """One descent into one value: knows how deep it is and what it is inside of."""

    __slots__ = ("_inside",)

    def __init__(self) -> None:
        self._inside: set[int] = set()

    def write(self, value: Any) -> Any:
        kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType] # of anything
        leaf = _LEAVES.get(kind)
        if leaf is not None:
            return leaf(value)
        if id(value) in self._inside:
            return _described(value, "<contains itself>")
        if len(self._inside) >= MAX_DEPTH:
            cut = kind is _DICT and value.keys() == {"__repr__", "__type__"}
            return value if cut else _described(value, f"<deeper than {MAX_DEPTH} levels>")
        self._inside.add(id(value))
        try:
            return self._compound(value, kind)
        except Exception:
            return _described(value)
        finally:
            self._inside.discard(id(value))

    def _compound(self, value: Any, kind: Any) -> Any:
        if issubclass(kind, _DICT):
            return {_key(key): self.write(item) for key, item in list(_DICT.items(value))}
        if issubclass(kind, _LIST):
            return [self.write(item) for item in list(value)]
        if issubclass(kind, _MODEL) or _is_dataclass(kind):
            return self._fields(value, kind)
        if issubclass(kind, Enum):
            return self.write(value.value)
        if issubclass(kind, _numpy_types()):
            plain = value.tolist()
            return _write_float(float(plain)) if type(plain) is kind else self.write(plain)
        return _leaf(value, kind)

    def _fields(self, value: Any, kind: Any) -> Any:
        """A model or dataclass by its own serialiser, or, where that cannot do it, field by field."""
        named = _field_values(value, kind)
        serializer = getattr(kind, "__pydantic_serializer__", None)
        if serializer is not None and not any(hasattr(item, "__next__") for item in named.values()):
            try:
                return self.write(serializer.to_python(value, mode="json", warnings=False, fallback=self.write))
            except Exception:  # noqa: S110 - a field that it refuses: written below
                pass
        return {clean_text(name): self.write(item) for name, item in named.items()}


def _is_dataclass(kind: type) -> bool:
    return hasattr(kind, "__dataclass_fields__")


def _field_values(value: Any, kind: Any) -> dict[str, Any]:
    if issubclass(kind, _MODEL):
        return {**value.__dict__, **(value.__pydantic_extra__ or {})}
    names = [field.name for field in fields(value)]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _leaf(value: Any, kind: Any) -> Any:
    """A value that holds no other, of a type that is not in `_LEAVES` itself."""
    for base in _SCALARS:
        if issubclass(kind, base):
            return _LEAVES[base](base.__add__(value, base()))
    if issubclass(kind, (bytes, bytearray, memoryview)):
        return _write_bytes(bytes(value))
    if issubclass(kind, _NATIVE):
        return to_jsonable_python(value)
    if issubclass(kind, PurePath) or any(base.__module__ in _TEXTUAL for base in kind.__mro__):
        return clean_text(str(value))
    return _described(value)


def _key(key: object) -> str:
    if type(key) is str:
        return clean_text(key)
    try:
        return clean_text(next(iter(to_jsonable_python({key: None}))))
    except Exception:
        return safe_repr(key)


def _numpy_types() -> tuple[type, ...]:
    numpy = sys.modules.get("numpy")
    return (numpy.generic, numpy.ndarray) if numpy is not None and hasattr(numpy, "ndarray") else ()


def _write_int(value: int) -> Any:
    return int(value) if -_MAX_INT < value < _MAX_INT else _described(value, f"<integer of {value.bit_length()} bits>")


def _write_float(value: float) -> float | str:
    if value - value == 0.0:
        return float(value)
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - only NaN differs from itself


def _write_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _itself(value: Any) -> Any:
    return value


_SCALARS: Final[tuple[Any, ...]] = (str, int, float)

_LEAVES: Final[dict[type, Callable[[Any], Any]]] = {
    type(None): _itself,
    bool: _itself,
    int: _write_int,
    float: _write_float,
    str: clean_text,
    bytes: _write_bytes,
}


class _Recorded:
    """Annotates a field that holds users' values: validated as annotated, serialised by `to_json_value`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = dict(handler(source))
        schema["serialization"] = core_schema.plain_serializer_function_ser_schema(to_json_value)
        return cast("CoreSchema", schema)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the annotation itself: what is written has its form, and any value has none."""
        bare: Any = {key: part for key, part in schema.items() if key != "serialization"}
        return handler(cast("CoreSchema", bare))


RECORDED: Final = _Recorded()
