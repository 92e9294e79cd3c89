"""Searching values for secrets by name, each object once and however deep."""

from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final

from pydantic import SecretBytes, SecretStr

from ..introspection import Form, Parts, class_of, has_base
from ..json.json_leaves import is_url, json_key
from ..shown_parts import ATOMS, attributes_shown, is_secret, objects_in, other_names, parts_shown
from .secret_names import SecretNames

__all__ = ["PLAIN", "SECRETS", "SecretSearch"]

_NAMES: Final[tuple[Any, ...]] = (str, bytes, Enum)
"""What keys may be that JSON shows as names."""
SECRETS: Final = frozenset({id(SecretStr), id(SecretBytes)})
PLAIN: Final = ATOMS - SECRETS
"""Classes of values without secrets, but for the texts of URLs."""
_PAIRS: Final = frozenset({id(tuple), id(list)})
_NAMED_ELSEWHERE: Final = (("loc", "input"), ("name", "value"), ("key", "value"))
"""The keys of a mapping that hold a name, and what has it."""
_CONTAINERS: Final = frozenset(map(id, (dict, list, tuple, set, frozenset, deque)))


class SecretSearch:
    """Finds what stands under the names of secrets."""

    __slots__ = ("_names",)

    def __init__(self, names: SecretNames) -> None:
        self._names = names

    def hides(self, name: object) -> bool:
        """Whether a name is that of a secret; that of a key of several parts, if one of them is."""
        return name is not None and self._names_secret(name, self._names.__contains__)

    def _names_secret(self, name: object, is_wanted: Callable[[str], bool]) -> bool:
        kind = class_of(name)
        if kind is str:
            return is_wanted(name)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] # it is text
        if kind is tuple:
            parts: Any = name
            return any(self._names_secret(part, is_wanted) for part in parts)
        if not any(has_base(kind, base) for base in _NAMES):
            return False
        text: Any = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        return is_wanted(json_key(text))

    def _unusual_parts(self, value: Any) -> list[Any] | None:
        """The parts of a value that need a careful search; None if all of it does. Most values have none."""
        unusual: list[Any] = []
        waiting, seen = [value], set[int]()
        while waiting:
            found = waiting.pop()
            kind = class_of(found)
            if id(found) in seen:
                continue
            seen.add(id(found))
            if kind is dict:
                held = found.copy()
                if not self._names.clear(held.keys()) or "value" in held or "input" in held:
                    return None
                items = held.values()
            elif kind is list or kind is tuple:
                items = found[:]
                if len(items) == 2 and self.hides(items[0]):  # noqa: PLR2004 - a pair
                    return None
            else:
                unusual.append(found)
                continue
            for item in items:
                kind = class_of(item)
                if kind is str:
                    if "://" in item:
                        return None
                elif id(kind) not in PLAIN:
                    waiting.append(item)
        return unusual

    def _walk(self, value: Any) -> Iterator[tuple[object, Any]]:
        """Everything that has a name in a value, with each of its names."""
        if is_secret(class_of(value)) or is_url(class_of(value)):
            yield None, value
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            found = waiting.pop()
            if id(class_of(found)) in ATOMS or id(found) in seen:
                continue
            seen.add(id(found))
            parts = parts_shown(found)
            if parts is None:
                parts = attributes_shown(found)
                if parts is None:
                    continue
            for name, key, item in self.named_items(found, parts):
                yield name, item
                waiting.append(item)
                if parts.form is Form.MAPPING:
                    waiting.append(key)
            if parts.form is Form.FIELDS:
                yield from other_names(found, parts)

    def _objects(self, value: Any) -> Iterator[Any]:
        """The models, dataclasses and other objects in a value."""
        return (found for found in objects_in(value, parts_shown) if id(class_of(found)) not in _CONTAINERS)

    def named_items(self, value: Any, parts: Parts) -> list[tuple[Any, Any, Any]]:
        """The names of what a value holds, with the keys and the items.

        The second of a pair, such as that of a header, is named by the first; so is the value in a mapping of a name and a
        value, and an input by its place in what Pydantic tells of an error.
        """
        items = parts.items
        named = [(key, key, item) for key, item in items]
        if parts.form is Form.LIST:
            if len(items) == 2 and id(class_of(value)) in _PAIRS and self.hides(items[0][1]):  # noqa: PLR2004 - a pair
                named[1] = (items[0][1], *items[1])
        elif parts.form is Form.MAPPING and len(items) > 1:
            held = {key: item for key, item in items if class_of(key) is str}
            for naming, key in _NAMED_ELSEWHERE:
                if naming in held and key in held and (name := self._hiding_part(held[naming])) is not None:
                    return [(name if own == key else own, own, item) for own, item in items]
        return named

    def _hiding_part(self, name: Any) -> Any:
        """The name, or the last part of a place, that is one of a secret."""
        parts = reversed(name) if id(class_of(name)) in _PAIRS else [name]
        return next(filter(self.hides, parts), None)
