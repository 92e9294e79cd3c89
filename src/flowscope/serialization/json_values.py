"""The JSON form of any value: the one place that decides how users' values are written.

Values are held by reference and only turned into JSON when a record is serialised. What Pydantic writes natively is
written as Pydantic does; everything else is described by its `repr` and type. Nothing here can fail, consume an
iterator or change a value.
"""

import base64
import operator
import sys
from collections import deque
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from re import Pattern
from typing import Any, Final, cast
from uuid import UUID

from pydantic import SecretBytes, SecretStr
from pydantic_core import SchemaSerializer, to_json, to_jsonable_python

from .bytes_reading import bytes_key
from .declared_serializers import declared_serializer
from .introspection import (
    BY_ALIAS,
    INTERRUPTIONS,
    MASK,
    Form,
    bases_of,
    class_of,
    has_base,
    parts_of,
    shape_of,
    type_name,
)
from .schema_rewriting import part_writer, write_part

__all__ = ["COMPUTED", "MAX_REPR", "OTHER", "clean_text", "json_key", "safe_repr", "to_json_value", "written_plainly"]

MAX_DEPTH: Final = 100
MAX_REPR: Final = 1_000

_NATIVE: Final[tuple[Any, ...]] = (date, time, timedelta, Decimal, UUID, Pattern, complex)
_BYTES: Final[tuple[Any, ...]] = (bytes, bytearray, memoryview)
_SECRETS: Final[tuple[Any, ...]] = (SecretStr, SecretBytes)
_TEXTUAL: Final = frozenset({"fractions", "ipaddress", "pydantic.networks", "pydantic.types", "zoneinfo"})
"""Modules whose types Pydantic writes as `str(value)`, named so that they need not be imported."""
_NUMBERS: Final[dict[str, Callable[[Any], int | float]]] = {"__index__": operator.index, "__float__": float}
"""How scalars of other libraries become the numbers that they stand for."""
_CONTAINERS: Final = frozenset(map(id, (dict, list, tuple, set, frozenset, deque)))
_THEMSELVES: Final = frozenset({id(type(None)), id(bool)})
_INT, _TEXT, _DICT_ID, _SEQUENCES = id(int), id(str), id(dict), frozenset({id(list), id(tuple)})
_SMALL: Final = 1 << 63
OTHER: Final[Any] = object()
"""Stands for a value that is not written plainly."""
COMPUTED: Final = object()
"""Stands where a field has its value."""
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
    plain = written_plainly(value, id(type(value)))
    if plain is not OTHER:
        return plain
    try:
        outer = part_writer.get(None)  # of a value that has this one, in a record, as a part
        return _Walk().write(value) if outer is None else outer[0](value)
    except INTERRUPTIONS:
        raise
    except BaseException:
        return _described(value)


def written_plainly(value: Any, kind: int) -> Any:  # noqa: PLR0911 - the commonest first
    """A value that holds none, or only such as hold none, without the care that others need; `OTHER` for others.

    Most values are such. The commonest are written without a further call: that decides what a record of many costs.
    """
    if kind in _THEMSELVES or (kind == _INT and -_SMALL < value < _SMALL) or (kind == _TEXT and value.isascii()):
        return value
    leaf = _LEAVES.get(kind)
    if leaf is not None:
        return leaf(value)
    if kind not in _CONTAINERS:
        return OTHER
    if kind == _DICT_ID:
        return _plain_dict(value) if value else {}
    written: list[Any] = []
    if not value:
        return written
    for item in value[:] if kind in _SEQUENCES else value.copy():
        inner = id(_TYPE(item))
        if inner in _THEMSELVES or (inner == _INT and -_SMALL < item < _SMALL):
            written.append(item)
        elif inner in _LEAVES:
            written.append(_LEAVES[inner](item))
        else:
            return OTHER
    return written


def _plain_dict(value: dict[Any, Any]) -> Any:
    written: dict[str, Any] = {}
    for key, item in value.copy().items():
        leaf = _LEAVES.get(id(_TYPE(item)))
        if leaf is None or type(key) is not str:
            return OTHER
        written[clean_text(key)] = leaf(item)
    return written


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
    if id(kind) in _LEAVES:
        return key
    if kind is tuple:
        return tuple(map(_plain_key, key))
    for base in _numpy_types():
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


def _described(value: object, text: str | None = None) -> dict[str, str]:
    return {"__repr__": safe_repr(value) if text is None else text, "__type__": clean_text(type_name(value))}


class _Walk:
    """One descent into one value: knows how deep it is and what it is inside of."""

    __slots__ = ("_failing", "_inside", "_telling")

    def __init__(self) -> None:
        self._inside: set[int] = set()
        self._telling = 0
        self._failing: dict[tuple[int, str | None], object] | None = None
        """Values, and fields of them, that are not tried again: each level would write all that is below it twice."""

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
            declared = None if id(kind) in _CONTAINERS else declared_serializer(kind)
            return self._bare(value, kind) if declared is None else self._as_declared(value, kind, declared)
        except INTERRUPTIONS:
            raise
        except BaseException:
            return _described(value)
        finally:
            self._inside.discard(id(value))

    def _bare(self, value: Any, kind: Any) -> Any:
        """A value of a class that declares nothing, or cannot do what it declares."""
        parts = parts_of(value)
        if parts is None:
            return _leaf(self, value, kind)
        match parts.form:
            case Form.MAPPING:
                return {json_key(key): self.write(item) for key, item in parts.items}
            case Form.LIST:
                return [self.write(item) for _, item in parts.items]
            case Form.ROOT:
                return self.write(parts.items[0][1])
            case Form.FIELDS:
                return {clean_text(name): self.write(item) for name, item in parts.items}

    def _as_declared(self, value: Any, kind: Any, declared: SchemaSerializer) -> Any:
        """As the class declares as a whole; where that fails, field by field."""
        try:
            return self._tell(value, declared, None)
        except ValueError:
            pass
        shape, parts = shape_of(kind), parts_of(value)
        if parts is None or parts.form is not Form.FIELDS:
            return self._bare(value, kind)
        written: dict[str, Any] = {}
        for name, item in (*parts.items, *((name, COMPUTED) for name in shape.computed)):
            try:
                alone = None if shape.whole else self._tell(value, declared, name, item)
            except ValueError:
                alone = None
            if isinstance(alone, dict):
                written.update(cast("dict[str, Any]", alone))
            elif name not in shape.excluded:
                key = clean_text(name if BY_ALIAS is False else shape.shown.get(name, name))
                written[key] = self._computed(value, name) if item is COMPUTED else self.write(item)
        return written

    def _computed(self, value: Any, name: str) -> Any:
        try:
            held = getattr(value, "__dict__", {})
            return self.write(held[name] if name in held else getattr(value, name))
        except INTERRUPTIONS:
            raise
        except BaseException as error:
            return _described(error)

    def _tell(self, value: Any, declared: SchemaSerializer, name: str | None, item: Any = COMPUTED) -> Any:
        """What the class declares for the value, or for one field of it; `ValueError` if that fails."""
        told = (id(value), name)
        if self._failing is not None and told in self._failing:
            raise ValueError
        if not self._telling and _holds_iterator(value if name is None else item):
            raise ValueError
        token = part_writer.set((self.write, value))
        self._telling += 1
        try:
            include = None if name is None else {name}
            found = declared.to_python(
                value, mode="json", include=include, by_alias=BY_ALIAS, warnings=False, fallback=write_part
            )
            return found if self._telling > 1 or _is_clean(found) else self.write(found)
        except INTERRUPTIONS:
            raise
        except BaseException as error:  # a panic, such as of a set that another thread changes, is no Exception
            self._failing = self._failing or {}
            self._failing[told] = value
            raise ValueError from error
        finally:
            self._telling -= 1
            part_writer.reset(token)


def _is_clean(told: Any) -> bool:
    """Whether it can be encoded: text that Pydantic made of a value may not be."""
    try:
        to_json(told)
    except ValueError:
        return False
    return True


def _holds_iterator(value: Any) -> bool:
    """Whether writing it in a way of its own might consume something, as far as it lets itself be looked at."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if id(class_of(found)) in _LEAVES or id(found) in seen:
            continue
        if hasattr(class_of(found), "__next__"):
            return True
        seen.add(id(found))
        try:
            parts = parts_of(found)
        except INTERRUPTIONS:
            raise
        except BaseException:
            return True
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
_TYPE: Any = type

_LEAVES: Final[dict[int, Callable[[Any], Any]]] = {
    id(type(None)): _itself,
    id(bool): _itself,
    id(int): _write_int,
    id(float): _write_float,
    id(str): clean_text,
    id(bytes): _write_bytes,
}
"""By the identity of the class: asking a class for its hash asks its metaclass."""
