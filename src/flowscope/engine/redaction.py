"""Masking secrets on their way into records and events.

Arguments, mapping keys and model or dataclass fields are masked by name. Only a container that holds a masked key is
copied, with the containers around it; everything else stays the very object it was.
"""

import copy
import dataclasses
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel, SecretBytes, SecretStr

__all__ = ["MASK", "Redactor", "redactor_for"]

MASK: Final = "**********"
"""What Pydantic writes for a `SecretStr` too."""

_MAX_DEPTH: Final = 100
_ATOMS: Any = frozenset({type(None), bool, int, float, complex, str, bytes, SecretStr, SecretBytes})
_DICT: Any = dict
_MODEL: Any = BaseModel
_LISTS: Any = (list, tuple, set, frozenset, deque)


class Redactor:
    """Masks the values of one run."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(map(_normal, names))

    def hides(self, name: object) -> bool:
        """Whether a name is masked."""
        return isinstance(name, str) and _normal(name) in self._names

    def mask(self, value: Any) -> Any:
        """The value with its secrets masked; itself if it holds none."""
        if type(value) in _ATOMS or not self._names:
            return value
        return self._mask(value, set())

    def mask_positional(self, names: tuple[str, ...], args: tuple[Any, ...]) -> list[Any]:
        """Positional arguments, masked by the names of their parameters."""
        hidden = [index for index, name in enumerate(names[: len(args)]) if self.hides(name)]
        masked = [self.mask(value) for value in args]
        for index in hidden:
            masked[index] = MASK
        return masked

    def _mask(self, value: Any, inside: set[int]) -> Any:
        kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType] # of anything
        if kind in _ATOMS or id(value) in inside or len(inside) >= _MAX_DEPTH:
            return value
        inside.add(id(value))
        try:
            return self._mask_container(value, kind, inside)
        except Exception:  # one that cannot be read or rebuilt
            return f"<{kind.__qualname__} that could not be searched for secrets>"
        finally:
            inside.discard(id(value))

    def _mask_container(self, value: Any, kind: Any, inside: set[int]) -> Any:
        if issubclass(kind, _DICT):
            return self._mask_dict(value, kind, inside)
        if issubclass(kind, _LISTS):
            return self._mask_list(value, kind, inside)
        if issubclass(kind, _MODEL):
            changes = self._changes({**value.__dict__, **(value.__pydantic_extra__ or {})}, inside)
            return value.model_copy(update=changes) if changes else value
        return self._mask_dataclass(value, inside) if _is_dataclass(kind) else value

    def _changes(self, named: dict[Any, Any], inside: set[int]) -> dict[Any, Any]:
        """The items that have to be replaced."""
        changes: dict[Any, Any] = {}
        for name, item in list(_DICT.items(named)):
            masked = self._mask_item(name, item, inside)
            if masked is not item:
                changes[name] = masked
        return changes

    def _mask_item(self, name: object, item: Any, inside: set[int]) -> Any:
        if not self.hides(name):
            return self._mask(item, inside)
        return item if type(item) in {SecretStr, SecretBytes} else MASK

    def _mask_dict(self, value: dict[Any, Any], kind: Any, inside: set[int]) -> Any:
        changes = self._changes(value, inside)
        if not changes:
            return value
        masked = copy.copy(value) if kind is not dict else dict(value)
        for name, item in changes.items():
            _DICT.__setitem__(masked, name, item)
        return masked

    def _mask_list(self, value: Any, kind: Any, inside: set[int]) -> Any:
        items = list(value)
        masked = [self._mask(item, inside) for item in items]
        if all(new is old for new, old in zip(masked, items, strict=True)):
            return value
        if hasattr(kind, "_make"):
            return kind._make(masked)
        return (
            deque(masked, value.maxlen)
            if issubclass(kind, deque)
            else (tuple if issubclass(kind, tuple) else list)(masked)
        )

    def _mask_dataclass(self, value: Any, inside: set[int]) -> Any:
        names = [field.name for field in dataclasses.fields(value)]
        changes = self._changes({name: getattr(value, name) for name in names if hasattr(value, name)}, inside)
        if not changes:
            return value
        masked = copy.copy(value)
        for name, item in changes.items():
            object.__setattr__(masked, name, item)
        return masked


@lru_cache
def redactor_for(names: tuple[str, ...]) -> Redactor:
    """The redactor that masks these names."""
    return Redactor(names)


def _is_dataclass(kind: type) -> bool:
    return hasattr(kind, "__dataclass_fields__")


def _normal(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
