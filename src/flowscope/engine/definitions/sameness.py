"""Compares values before and after a check, and recognises values that iteration exhausts."""

from collections import deque
from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    KeysView,
    Mapping,
    Sequence,
    Set,
    ValuesView,
)
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

__all__ = ["alike", "fits", "is_stream", "same"]

_MAPPING: Any = Mapping
_SET: Any = Set
_SEQUENCE: Any = (Sequence, deque)
_TEXT: Any = (str, bytes, bytearray)
_UNIONS: Any = (Union, UnionType)
_HELD: Any = (list, tuple, set, frozenset, dict, deque, KeysView, ValuesView, ItemsView, *_TEXT)
"""Iterables that hold all their items, so that iteration changes nothing."""


def is_stream(value: object) -> bool:
    """Whether iteration may exhaust an iterable, or never end: a generator, a cursor, a response."""
    kind = type(value)
    return issubclass(kind, Iterable) and not issubclass(kind, _HELD)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value, with all that it contains, is of the classes that the annotation names."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return fits(value, args[0])
    if origin in _UNIONS:
        return any(fits(value, choice) for choice in args)
    kind = origin or hint
    if isinstance(kind, type) and not isinstance(value, kind):
        return False
    if isinstance(value, _MAPPING) and len(args) == len(("key", "value")):
        return all(fits(key, args[0]) and fits(item, args[1]) for key, item in value.items())
    if isinstance(value, _TEXT) or not args or not isinstance(value, (*_SEQUENCE, _SET)):
        return True
    items: Any = value
    hints = list(args) if kind is tuple and args[-1] is not ... else [args[0]] * len(items)
    return all(fits(item, wanted) for item, wanted in zip(items, hints, strict=False))


def same(value: Any, checked: Any) -> bool:
    """Whether the check has changed nothing."""
    return value is checked or (type(value) is type(checked) and _compare(value, checked, same))


def alike(value: Any, checked: Any) -> bool:
    """Whether the check has changed nothing but the classes of containers, or a subclass to its base."""
    return value is checked or _compare(value, checked, alike)


def _compare(value: Any, checked: Any, items_match: Callable[[Any, Any], bool]) -> bool:
    if isinstance(value, _MAPPING) and isinstance(checked, _MAPPING):
        keys, values = list(value.keys()), list(value.values())
        return _match(keys, list(checked.keys()), items_match) and _match(values, list(checked.values()), items_match)
    if isinstance(value, _SET) and isinstance(checked, _SET):
        return {(type(item), item) for item in value} == {(type(item), item) for item in checked}
    if isinstance(value, _SEQUENCE) and isinstance(checked, _SEQUENCE) and not isinstance(value, _TEXT):
        return _match(list(value), list(checked), items_match)
    try:
        return isinstance(value, type(checked)) and bool(value == checked)
    except Exception:
        return False


def _match(values: list[Any], checked: list[Any], items_match: Callable[[Any, Any], bool]) -> bool:
    return len(values) == len(checked) and all(map(items_match, values, checked))
