"""Masking secrets on their way into records and events.

Arguments, mapping keys and model or dataclass fields are masked by name. Only a container that holds a masked key is
copied, with the containers around it; everything else stays the very object it was.
"""

import copy
from collections import deque
from collections.abc import ItemsView, Iterable, ValuesView
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel, SecretBytes, SecretStr

from .introspection import (
    INTERRUPTIONS,
    MASK,
    Form,
    Parts,
    class_of,
    has_base,
    mapping_parts,
    parts_of,
    shape_of,
    type_name,
)
from .json_values import json_key

__all__ = ["Redactor", "redactor_for"]

_ATOMS: Final = frozenset(map(id, (type(None), bool, int, float, complex, str, bytes, SecretStr, SecretBytes)))
"""Classes that hold nothing, by identity: asking a class for its hash asks its metaclass."""
_DICT: Any = dict
_VIEWS: Final[tuple[Any, ...]] = (ItemsView, ValuesView)
_NAMES: Final[tuple[Any, ...]] = (str, bytes, Enum)
"""What keys may be that JSON shows as names."""
_SECRETS: Final = frozenset({id(SecretStr), id(SecretBytes)})


class Redactor:
    """Masks the values of one run."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(map(_normal, names))

    def hides(self, name: object) -> bool:
        """Whether a name is masked."""
        kind = class_of(name)
        if kind is not str and not any(has_base(kind, base) for base in _NAMES):
            return False
        text: Any = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        return _normal(text if kind is str else json_key(text)) in self._names

    def mask(self, value: Any) -> Any:
        """The value with its secrets masked; itself if it holds none."""
        if id(class_of(value)) in _ATOMS or not self._names or not self._finds_secret(value):
            return value
        return self._mask(value, {})

    def mask_named(self, name: object, value: Any) -> Any:
        """The value with its secrets masked, or all of it, if its name says that it is one."""
        if self.hides(name):
            return value if _is_masked(value) else MASK
        return self.mask(value)

    def mask_positional(self, names: tuple[str, ...], args: tuple[Any, ...]) -> list[Any]:
        """Positional arguments, masked by the names of their parameters."""
        masked = [self.mask(value) for value in args]
        for index, name in enumerate(names[: len(args)]):
            if self.hides(name):
                masked[index] = MASK
        return masked

    def _finds_secret(self, value: Any) -> bool:
        """Whether there is anything to mask, however deep; each object is searched once."""
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            found = waiting.pop()
            if id(class_of(found)) in _ATOMS or id(found) in seen:
                continue
            seen.add(id(found))
            parts = _parts(found)
            if parts is None:
                continue
            if self._hides_part(found, parts):
                return True
            waiting.extend(item for _, item in parts.items)
        return False

    def _hides_part(self, value: Any, parts: Parts) -> bool:
        if any(self.hides(name) and not _is_masked(item) for name, item in parts.items):
            return True
        if parts.form is not Form.FIELDS:
            return False
        shape = shape_of(class_of(value))
        held = getattr(value, "__dict__", {})
        derived = {name for name in shape.computed if name not in held}
        return any(map(self.hides, (*derived, *shape.shown.values())))

    def _mask(self, value: Any, known: dict[int, Any]) -> Any:
        """A masked copy, or the value itself; each object is masked once, and one that contains itself ends there."""
        if id(class_of(value)) in _ATOMS:
            return value
        if id(value) in known:
            return known[id(value)]
        parts = _parts(value)
        if parts is None:
            return value
        known[id(value)] = f"<{type_name(value)} that contains itself>"
        try:
            masked = self._masked(value, parts, known)
        except INTERRUPTIONS:
            raise
        except BaseException:  # one that cannot be rebuilt, or is nested too deeply
            masked = f"<{type_name(value)} that could not be masked>"
        known[id(value)] = masked
        return masked

    def _masked(self, value: Any, parts: Parts, known: dict[int, Any]) -> Any:
        kind = class_of(value)
        items = [(name, self._mask_item(name, item, known)) for name, item in parts.items]
        if parts.form is Form.FIELDS:
            shape = shape_of(kind)
            hidden = [name for name, shown in shape.shown.items() if self.hides(shown)]
            hidden += [name for name in shape.computed if self.hides(name)]
            items += [(name, MASK) for name in hidden]
        if len(items) == len(parts.items) and all(
            new is old for (_, new), (_, old) in zip(items, parts.items, strict=True)
        ):
            return value
        if parts.form is Form.LIST:
            return _rebuilt_list(value, kind, [item for _, item in items])
        return (_rebuilt_dict if parts.form is Form.MAPPING else _rebuilt_fields)(value, dict(items))

    def _mask_item(self, name: object, item: Any, known: dict[int, Any]) -> Any:
        if not self.hides(name):
            return self._mask(item, known)
        return item if _is_masked(item) else MASK


def _is_masked(item: Any) -> bool:
    kind = class_of(item)
    return id(kind) in _SECRETS or (kind is str and item == MASK)


def _parts(value: Any) -> Parts | None:
    try:
        return parts_of(value) or mapping_parts(value) or _view_parts(value)
    except INTERRUPTIONS:
        raise
    except BaseException:  # a container that cannot be read shows nothing
        return None


def _view_parts(value: Any) -> Parts | None:
    """What a view of a mapping's values or items shows in its `repr`: all that the mapping holds."""
    if not isinstance(value, _VIEWS):
        return None
    mapping = value.mapping if hasattr(value, "mapping") else value._mapping  # noqa: SLF001 - the only way there
    return Parts(Form.MAPPING, list(mapping.items()))


def _rebuilt_list(value: Any, kind: Any, items: list[Any]) -> Any:
    if hasattr(kind, "_make"):
        return kind._make(items)
    if has_base(kind, deque):
        return deque(items, value.maxlen)
    return tuple(items) if has_base(kind, tuple) else items


def _rebuilt_dict(value: Any, items: dict[Any, Any]) -> Any:
    kind = class_of(value)
    if isinstance(value, _VIEWS):
        return items.items() if isinstance(value, _VIEWS[0]) else items.values()
    if kind is dict or not has_base(kind, dict):
        return items
    masked = copy.copy(value)
    for key, item in items.items():
        _DICT.__setitem__(masked, key, item)
    return masked


def _rebuilt_fields(value: Any, fields: dict[str, Any]) -> Any:
    masked = copy.copy(value)
    model, computed = has_base(class_of(value), BaseModel), shape_of(class_of(value)).computed
    extra: dict[str, Any] = (masked.__pydantic_extra__ or {}) if model else {}
    for name, item in fields.items():
        if name in extra:
            extra[name] = item
        elif model or name in computed:
            vars(masked)[name] = item
        else:
            object.__setattr__(masked, name, item)
    return masked


@lru_cache
def redactor_for(names: tuple[str, ...]) -> Redactor:
    """The redactor that masks these names."""
    return Redactor(names)


def _normal(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
