"""The JSON form of values that hold no others, and of the keys of mappings."""

import base64
import operator
import sys
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from re import Pattern
from typing import Any, Final
from uuid import UUID

from pydantic import SecretBytes, SecretStr
from pydantic_core import to_jsonable_python

from ..introspection import INTERRUPTIONS, MASK, bases_of, class_of, has_base, type_name
from .bytes_reading import bytes_key

__all__ = [
    "LEAVES",
    "MAX_REPR",
    "clean_text",
    "described",
    "is_url",
    "json_key",
    "safe_repr",
    "text_or_none",
    "write_leaf",
]

MAX_REPR: Final = 1_000

_NATIVE: Final[tuple[Any, ...]] = (date, time, timedelta, Decimal, UUID, Pattern, complex)
_BYTES: Final[tuple[Any, ...]] = (bytes, bytearray, memoryview)
_SECRETS: Final[tuple[Any, ...]] = (SecretStr, SecretBytes)
_TEXTUAL: Final = frozenset({"fractions", "ipaddress", "pydantic.networks", "pydantic.types", "zoneinfo"})
"""Modules whose types Pydantic writes as `str(value)`, named so that they need not be imported."""
_URL_MODULES: Final = frozenset({"pydantic.networks", "pydantic_core._pydantic_core", "yarl", "yarl._url"})
_MODULE: Any = vars(type)["__module__"]
_urls: Final[dict[int, tuple[Any, bool]]] = {}
"""By the identity of the class: asking a class for its hash asks its metaclass."""
_MOST_KNOWN: Final = 1_000
_NUMBERS: Final[dict[str, Callable[[Any], int | float]]] = {"__index__": operator.index, "__float__": float}
"""How scalars of other libraries become the numbers that they stand for."""
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


def json_key(key: object) -> str:
    """A mapping's key as JSON has it."""
    if type(key) is str:
        return clean_text(key)
    try:
        if type(key) is bytes:
            return bytes_key(key)
        return clean_text(next(iter(to_jsonable_python({_plain_key(key): None}))))
    except INTERRUPTIONS:
        raise
    except BaseException:
        return safe_repr(key)


def _plain_key(key: Any) -> Any:  # noqa: PLR0911 - one return a kind
    """The key, with scalars of numpy and its like as the numbers that they stand for."""
    kind = class_of(key)
    if id(kind) in LEAVES:
        return key
    if kind is tuple:
        return tuple(map(_plain_key, key))
    for base in numpy_types():
        if has_base(kind, base):
            plain = key.tolist()
            return float(plain) if type(plain) is kind else plain
    if any(has_base(kind, base) for base in (Enum, int, float, str, *_NATIVE)):
        return key
    if any(base.__module__ in _TEXTUAL for base in bases_of(kind)):
        return str(key)
    for name, convert in _NUMBERS.items():
        if any(name in vars(base) for base in bases_of(kind)):
            return convert(key)
    return key


def is_url(kind: Any) -> bool:
    """Whether a class is one of the URLs that are written as text."""
    known = _urls.get(id(kind))
    if known is None:
        found = any(_MODULE.__get__(base) in _URL_MODULES for base in bases_of(kind))
        if len(_urls) >= _MOST_KNOWN:
            _urls.clear()
        known = _urls[id(kind)] = (kind, found)
    return known[1]


def described(value: object, text: str | None = None) -> dict[str, str]:
    """The description of a value that has no JSON form: its `repr`, or a text in place of that, and its type."""
    return {"__repr__": safe_repr(value) if text is None else text, "__type__": clean_text(type_name(value))}


def write_leaf(write: Callable[[Any], Any], value: Any, kind: Any) -> Any:
    """A value that holds no other, of a type that is not in `LEAVES` itself; `write` writes what it stands for."""
    if has_base(kind, Enum):
        return write(value.value)
    for base in (str, int, float):
        if has_base(kind, base):
            return LEAVES[id(base)](_exact(value, base))
    if any(has_base(kind, base) for base in _BYTES):
        return _write_bytes(bytes(value))
    for base in numpy_types():
        if has_base(kind, base):
            plain = value.tolist()
            return _write_float(float(plain)) if type(plain) is kind else write(plain)
    return _other_leaf(value, kind)


def _other_leaf(value: Any, kind: Any) -> Any:
    if any(has_base(kind, base) for base in _SECRETS):
        return MASK if value.get_secret_value() else ""
    if any(has_base(kind, base) for base in _NATIVE):
        return to_jsonable_python(value)
    if has_base(kind, PurePath) or any(base.__module__ in _TEXTUAL for base in kind.__mro__):
        return clean_text(str(value))
    return described(value)


def _exact(value: Any, base: Any) -> Any:
    """The value as its built-in base class has it."""
    return base.__add__(value, base())


def numpy_types() -> tuple[Any, ...]:
    numpy = sys.modules.get("numpy")
    return (numpy.generic, numpy.ndarray) if numpy is not None and hasattr(numpy, "ndarray") else ()


def _write_int(value: int) -> Any:
    bits = value.bit_length()
    return value if bits < _MAX_BITS else described(value, f"<integer of {bits} bits>")


def _write_float(value: float) -> float | str:
    if value - value == 0.0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - only NaN differs from itself


def _write_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _itself(value: Any) -> Any:
    return value


LEAVES: Final[dict[int, Callable[[Any], Any]]] = {
    id(type(None)): _itself,
    id(bool): _itself,
    id(int): _write_int,
    id(float): _write_float,
    id(str): clean_text,
    id(bytes): _write_bytes,
}
"""By the identity of the class: asking a class for its hash asks its metaclass."""


def text_or_none(text: object) -> str | None:
    """Text; another value, from code that is not type-checked, as its repr; None for None."""
    return None if text is None else clean_text(text) if isinstance(text, str) else safe_repr(text)
