"""The JSON form of any value: the one place that decides how users' values are written.

Values are held by reference and only turned into JSON when a record is serialised. What Pydantic writes natively is
written as Pydantic does; everything else is described by its `repr` and type. Nothing here can fail, consume an
iterator or change a value.
"""

import base64
import sys
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from re import Pattern
from typing import Any, Final, cast
from uuid import UUID

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, SecretBytes, SecretStr
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema, to_jsonable_python

from .anatomy import BY_ALIAS, INTERRUPTIONS, Form, Parts, class_of, has_base, parts_of, shape_of, type_name

__all__ = ["MASK", "RECORDED", "clean_text", "json_key", "safe_repr", "to_json_value"]

MASK: Final = "**********"
"""What Pydantic writes for a `SecretStr`, and a record for what is masked."""

MAX_DEPTH: Final = 100
MAX_REPR: Final = 1_000

_NATIVE: Final[tuple[Any, ...]] = (date, time, timedelta, Decimal, UUID, Pattern, complex)
_BYTES: Final[tuple[Any, ...]] = (bytes, bytearray, memoryview)
_SECRETS: Final[tuple[Any, ...]] = (SecretStr, SecretBytes)
_TEXTUAL: Final = frozenset({"fractions", "ipaddress", "pydantic.networks", "pydantic.types", "zoneinfo"})
"""Modules whose types Pydantic writes as `str(value)`, named so that they need not be imported."""
_MAX_BITS: Final = 14_000
"""Beyond this an integer is described: its decimal digits may pass the interpreter's limit."""


def safe_repr(value: object) -> str:
    """The value's `repr`, at most 1,000 characters of it; a `repr` that raises is reported instead."""
    try:
        return clean_text(repr(value)[:MAX_REPR])
    except INTERRUPTIONS:
        raise
    except BaseException as error:
        return f"<{type_name(value)} whose repr raised {type_name(error)}>"


def clean_text(text: str) -> str:
    """The text with lone surrogates escaped, so that it can be encoded."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def to_json_value(value: object) -> Any:
    """The value as `None`, `bool`, `int`, `float`, `str`, `list` and `dict` only."""
    leaf = _LEAVES.get(id(class_of(value)))
    if leaf is not None:
        return leaf(value)
    try:
        return _Walk().write(value)
    except INTERRUPTIONS:
        raise
    except BaseException:
        return _described(value)


def json_key(key: object) -> str:
    """A mapping's key as JSON has it."""
    if type(key) is str:
        return clean_text(key)
    try:
        return clean_text(next(iter(to_jsonable_python({key: None}))))
    except INTERRUPTIONS:
        raise
    except BaseException:
        return safe_repr(key)


def _described(value: object, text: str | None = None) -> dict[str, str]:
    return {"__repr__": safe_repr(value) if text is None else text, "__type__": clean_text(type_name(value))}


class _Walk:
    """One descent into one value: knows how deep it is and what it is inside of."""

    __slots__ = ("_inside",)

    def __init__(self) -> None:
        self._inside: set[int] = set()

    def write(self, value: Any) -> Any:
        kind = class_of(value)
        leaf = _LEAVES.get(id(kind))
        if leaf is not None:
            return leaf(value)
        if id(value) in self._inside:
            return _described(value, "<contains itself>")
        if len(self._inside) >= MAX_DEPTH:
            return value if _is_description(value, kind) else _described(value, f"<deeper than {MAX_DEPTH} levels>")
        self._inside.add(id(value))
        try:
            parts = parts_of(value)
            return _leaf(self, value, kind) if parts is None else self._compound(value, kind, parts)
        except INTERRUPTIONS:
            raise
        except BaseException:
            return _described(value)
        finally:
            self._inside.discard(id(value))

    def _compound(self, value: Any, kind: Any, parts: Parts) -> Any:
        match parts.form:
            case Form.MAPPING:
                return {json_key(key): self.write(item) for key, item in parts.items}
            case Form.LIST:
                return [self.write(item) for _, item in parts.items]
            case Form.ROOT | Form.FIELDS if has_base(kind, BaseModel):
                return self._model(value, kind, parts)
            case _:
                return {clean_text(name): self.write(item) for name, item in parts.items}

    def _model(self, value: Any, kind: Any, parts: Parts) -> Any:
        """A model as its own serialisers write it, where it has any; else, and where they fail, field by field."""
        shape = shape_of(kind)
        if shape.whole and not _holds_iterator(value):
            try:
                return self.write(self._native(value, None))
            except Exception:  # noqa: S110 - then by its fields
                pass
        if parts.form is Form.ROOT:
            return self.write(parts.items[0][1])
        written: dict[str, Any] = {}
        for name, item in parts.items:
            if name not in shape.excluded and name not in shape.computed:
                key = clean_text(name if BY_ALIAS is False else shape.shown.get(name, name))
                own = name in shape.own and not _holds_iterator(item)
                written[key] = self._own(value, name, item) if own else self.write(item)
        for name in shape.computed:
            try:
                written[name] = self.write(value.__dict__[name] if name in value.__dict__ else getattr(value, name))
            except INTERRUPTIONS:
                raise
            except BaseException as error:
                written[name] = _described(error)
        return written

    def _own(self, value: Any, name: str, item: Any) -> Any:
        """A field with a serialiser of its own."""
        try:
            (found,) = self._native(value, {name}).values()
        except Exception:
            return self.write(item)
        return self.write(found)

    def _native(self, value: Any, include: set[str] | None) -> Any:
        serializer: Any = class_of(value).__pydantic_serializer__
        try:
            return serializer.to_python(
                value, mode="json", include=include, by_alias=BY_ALIAS, warnings=False, fallback=self.write
            )
        except INTERRUPTIONS:
            raise
        except BaseException as error:  # a panic, such as of a set that another thread changes, is no Exception
            raise ValueError("it cannot write itself") from error


def _holds_iterator(value: Any) -> bool:
    """Whether writing it in a way of its own might consume something."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if id(class_of(found)) in _LEAVES or id(found) in seen:
            continue
        if hasattr(class_of(found), "__next__"):
            return True
        seen.add(id(found))
        parts = parts_of(found)
        waiting.extend(item for _, item in (parts.items if parts is not None else ()))
    return False


def _is_description(value: Any, kind: Any) -> bool:
    """Whether it is what was written for something else: a record that was read back is not cut once more."""
    return (
        kind is _DICT and value.keys() == {"__repr__", "__type__"} and all(type(text) is str for text in value.values())
    )


def _leaf(walk: _Walk, value: Any, kind: Any) -> Any:
    """A value that holds no other, of a type that is not in `_LEAVES` itself."""
    if has_base(kind, Enum):
        return walk.write(value.value)
    for base in (str, int, float):
        if has_base(kind, base):
            return _LEAVES[id(base)](_exact(value, base))
    if any(has_base(kind, base) for base in _BYTES):
        return _write_bytes(bytes(value))
    for base in _numpy_types():
        if has_base(kind, base):
            plain = value.tolist()
            return _write_float(float(plain)) if type(plain) is kind else walk.write(plain)
    return _other_leaf(value, kind)


def _other_leaf(value: Any, kind: Any) -> Any:
    if any(has_base(kind, base) for base in _SECRETS):
        return MASK if value.get_secret_value() else ""
    if any(has_base(kind, base) for base in _NATIVE):
        return to_jsonable_python(value)
    if has_base(kind, PurePath) or any(base.__module__ in _TEXTUAL for base in kind.__mro__):
        return clean_text(str(value))
    return _described(value)


def _exact(value: Any, base: Any) -> Any:
    """The value as its built-in base class has it."""
    return base.__add__(value, base())


def _numpy_types() -> tuple[Any, ...]:
    numpy = sys.modules.get("numpy")
    return (numpy.generic, numpy.ndarray) if numpy is not None and hasattr(numpy, "ndarray") else ()


def _write_int(value: int) -> Any:
    bits = value.bit_length()
    return value if bits < _MAX_BITS else _described(value, f"<integer of {bits} bits>")


def _write_float(value: float) -> float | str:
    if value - value == 0.0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - only NaN differs from itself


def _write_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _itself(value: Any) -> Any:
    return value


_DICT: Any = dict

_LEAVES: Final[dict[int, Callable[[Any], Any]]] = {
    id(type(None)): _itself,
    id(bool): _itself,
    id(int): _write_int,
    id(float): _write_float,
    id(str): clean_text,
    id(bytes): _write_bytes,
}
"""By the identity of the class: asking a class for its hash asks its metaclass."""


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
