"""Copies of containers, models and other objects with some of their parts replaced."""

import copy
from collections import deque
from typing import Any

from pydantic import BaseModel

from ..introspection import class_of, has_base, shape_of
from ..shown_parts import VIEWS

__all__ = ["rebuilt_dict", "rebuilt_fields", "rebuilt_list"]

_DICT: Any = dict


def rebuilt_list(value: Any, kind: Any, items: list[Any]) -> Any:
    """A list, tuple, named tuple or deque like the value, of these items."""
    if hasattr(kind, "_make"):
        return kind._make(items)
    if has_base(kind, deque):
        return deque(items, value.maxlen)
    return tuple(items) if has_base(kind, tuple) else items


def rebuilt_dict(value: Any, items: dict[Any, Any], *, renamed: bool) -> Any:
    """A mapping, or a view of one, like the value, of these items; `renamed` if its keys are others."""
    kind = class_of(value)
    if isinstance(value, VIEWS):
        return items.items() if isinstance(value, VIEWS[0]) else items.values()
    if kind is dict or not has_base(kind, dict):
        return items
    masked = copy.copy(value)
    if renamed:
        _DICT.clear(masked)
    for key, item in items.items():
        _DICT.__setitem__(masked, key, item)
    return masked


def rebuilt_fields(value: Any, fields: dict[str, Any]) -> Any:
    """A copy of an object with other values in these fields."""
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
