"""The JSON form of any value: the one place that decides how users' values are written.

Values are held by reference and only turned into JSON when a record is serialised. What Pydantic writes natively is
written as Pydantic does; everything else is described by its `repr` and type. Nothing here can fail, consume an
iterator or change a value.
"""

from collections import deque
from typing import Any, Final, cast

from pydantic_core import SchemaSerializer, to_json

from ..introspection import (
    BY_ALIAS,
    INTERRUPTIONS,
    Form,
    class_of,
    parts_of,
    shape_of,
)
from .declared_serializers import declared_serializer
from .json_leaves import LEAVES, clean_text, described, json_key, write_leaf
from .schema_rewriting import part_writer, write_part

__all__ = ["COMPUTED", "OTHER", "to_json_value", "written_plainly"]

MAX_DEPTH: Final = 100
_CONTAINERS: Final = frozenset(map(id, (dict, list, tuple, set, frozenset, deque)))
_THEMSELVES: Final = frozenset({id(type(None)), id(bool)})
_INT, _TEXT, _DICT_ID, _SEQUENCES = id(int), id(str), id(dict), frozenset({id(list), id(tuple)})
_SMALL: Final = 1 << 63
_DICT: Any = dict
_TYPE: Any = type
OTHER: Final[Any] = object()
"""Stands for a value that is not written plainly."""
COMPUTED: Final = object()
"""Stands where a field has its value."""


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
        return described(value)


def written_plainly(value: Any, kind: int) -> Any:  # noqa: PLR0911 - the commonest first
    """A value that holds none, or only such as hold none, without the care that others need; `OTHER` for others.

    Most values are such. The commonest are written without a further call: that decides what a record of many costs.
    """
    if kind in _THEMSELVES or (kind == _INT and -_SMALL < value < _SMALL) or (kind == _TEXT and value.isascii()):
        return value
    leaf = LEAVES.get(kind)
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
        elif inner in LEAVES:
            written.append(LEAVES[inner](item))
        else:
            return OTHER
    return written


def _plain_dict(value: dict[Any, Any]) -> Any:
    written: dict[str, Any] = {}
    for key, item in value.copy().items():
        leaf = LEAVES.get(id(_TYPE(item)))
        if leaf is None or type(key) is not str:
            return OTHER
        written[clean_text(key)] = leaf(item)
    return written


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
        leaf = LEAVES.get(id(kind))
        if leaf is not None:
            return leaf(value)
        if id(value) in self._inside:
            return described(value, "<contains itself>")
        if len(self._inside) >= MAX_DEPTH:
            return value if _is_description(value, kind) else described(value, f"<deeper than {MAX_DEPTH} levels>")
        self._inside.add(id(value))
        try:
            declared = None if id(kind) in _CONTAINERS else declared_serializer(kind)
            return self._bare(value, kind) if declared is None else self._as_declared(value, kind, declared)
        except INTERRUPTIONS:
            raise
        except BaseException:
            return described(value)
        finally:
            self._inside.discard(id(value))

    def _bare(self, value: Any, kind: Any) -> Any:
        """A value of a class that declares nothing, or cannot do what it declares."""
        parts = parts_of(value)
        if parts is None:
            return write_leaf(self.write, value, kind)
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
            return described(error)

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
        if id(class_of(found)) in LEAVES or id(found) in seen:
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
