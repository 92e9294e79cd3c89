"""Masking secrets on their way into records and events.

Arguments, mapping keys and model or dataclass fields are masked by name, and what is under such a name at any depth,
but for None, numbers and booleans. Only a container that holds a secret is copied, with the containers around it;
everything else stays the very object it was.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import lru_cache
from typing import Any, Final, cast

from pydantic import SecretBytes, SecretStr, ValidationError

from .declared_serializers import declared_serializer
from .introspection import (
    INTERRUPTIONS,
    MASK,
    Form,
    Parts,
    class_of,
    has_base,
    shape_of,
    type_name,
)
from .json_leaves import MAX_REPR, clean_text, json_key
from .masked_errors import masked_validation_text
from .masked_texts import mask_texts
from .rebuilding import rebuilt_dict, rebuilt_fields, rebuilt_list
from .secret_names import DEFAULT_REDACTED, SecretNames
from .shown_parts import ATOMS, NUMBERS, attributes_shown, other_names, parts_shown, texts_below

__all__ = ["DEFAULT_REDACTOR", "Redactor", "redactor_for"]

MASKED_BYTES: Final = MASK.encode()
"""Stands for secret bytes: in JSON it is base64 text, and loads."""
_NAMES: Final[tuple[Any, ...]] = (str, bytes, Enum)
"""What keys may be that JSON shows as names."""
_SECRETS: Final = frozenset({id(SecretStr), id(SecretBytes)})
_CONTAINERS: Final = frozenset(map(id, (dict, list, tuple, set, frozenset, deque)))


class Redactor:
    """Masks the values of one run."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = SecretNames(names)

    def hides(self, name: object) -> bool:
        """Whether a name is that of a secret."""
        kind = class_of(name)
        if kind is str:
            return name in self._names  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue] # it is text
        if not any(has_base(kind, base) for base in _NAMES):
            return False
        text: Any = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        return json_key(text) in self._names

    def mask(self, value: Any) -> Any:
        """The value with its secrets masked; itself if it holds none."""
        if id(class_of(value)) in ATOMS or not self._names or not self._finds_secret(value):
            return value
        return _Masking(self).mask(value)

    def declares(self, value: Any) -> bool:
        """Whether some class in a value has a say in its JSON, in which there may be secrets that the value has not."""
        if id(class_of(value)) in ATOMS or not self._names:
            return False
        return any(declared_serializer(class_of(found)) is not None for found in self._objects(value))

    def mask_named(self, name: object, value: Any) -> Any:
        """The value with its secrets masked, or all of it, if its name says that it is one."""
        if not self.hides(name):
            return self.mask(value)
        return _Masking(self).mask_all(value)

    def mask_field(self, model: Any, name: str, value: Any) -> Any:
        """The value of a field, or all of it masked, if one of the field's other names says that it is a secret."""
        aliases = shape_of(class_of(model)).aliases
        return self.mask_named(next(filter(self.hides, aliases.get(name, ())), None), value)

    def mask_positional(self, names: tuple[str, ...], args: tuple[Any, ...]) -> list[Any]:
        """Positional arguments, masked by the names of their parameters."""
        named = (*names[: len(args)], *(None for _ in args[len(names) :]))
        return [self.mask_named(name, value) for name, value in zip(named, args, strict=True)]

    def error_text(self, error: BaseException) -> str | None:
        """The text of an exception without its secrets; None if it has none, or none that is known of."""
        if not self._names or not issubclass(type(error), ValidationError):  # its `__class__` may raise
            return None
        return masked_validation_text(cast("ValidationError", error), self)

    def texts_in(self, value: Any) -> set[str]:
        """The secret texts that a value holds, found by their names."""
        found: set[str] = set()
        for name, item in self._walk(value):
            if self.hides(name):
                found.update(texts_below(item))
        return found - {MASK, ""}

    def mask_texts(self, text: str, secrets: Iterable[str]) -> str:
        """The text without secrets."""
        return mask_texts(text, secrets)

    def _finds_secret(self, value: Any) -> bool:
        """Whether there is anything to mask, however deep; each object is searched once."""
        return any(self.hides(name) and _shows(item) for name, item in self._walk(value))

    def _walk(self, value: Any) -> Iterator[tuple[object, Any]]:
        """Everything that has a name in a value, with each of its names."""
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
            for name, item in self.named_items(found, parts):
                yield name, item
                waiting.append(item)
                if parts.form is Form.MAPPING:
                    waiting.append(name)
            if parts.form is Form.FIELDS:
                yield from other_names(found, parts)

    def _objects(self, value: Any) -> Iterator[Any]:
        """The models, dataclasses and other objects in a value."""
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            found = waiting.pop()
            kind = class_of(found)
            if id(kind) in ATOMS or id(found) in seen:
                continue
            seen.add(id(found))
            if id(kind) not in _CONTAINERS:
                yield found
            parts = parts_shown(found)
            waiting.extend(item for _, item in (parts.items if parts is not None else ()))

    def named_items(self, value: Any, parts: Parts) -> list[tuple[Any, Any]]:
        """What a value holds; the second of a pair, such as that of a header, is named by the first."""
        items = parts.items
        if parts.form is not Form.LIST:
            return items
        if class_of(value) is tuple and len(items) == 2 and self.hides(items[0][1]):  # noqa: PLR2004 - a pair
            return [items[0], (items[0][1], items[1][1])]
        return items


class _Masking:
    """One masking of one value: each object is masked once, and one that contains itself ends there."""

    __slots__ = ("_known", "_redactor")

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._known: dict[tuple[int, bool], Any] = {}

    def mask(self, value: Any, *, everything: bool = False) -> Any:
        """A masked copy, or the value itself if there is nothing to mask.

        Args:
            value: The value.
            everything: Whether it stands under the name of a secret.
        """
        kind = class_of(value)
        if id(kind) in ATOMS:
            return _masked_atom(value, kind) if everything else value
        key = (id(value), everything)
        if key in self._known:
            return self._known[key]
        self._known[key] = f"<{type_name(value)} that contains itself>"
        try:
            masked = self._masked(value, kind, everything=everything)
        except INTERRUPTIONS:
            raise
        except BaseException:  # one that cannot be rebuilt, or is nested too deeply
            masked = f"<{type_name(value)} that could not be masked>"
        self._known[key] = masked
        return masked

    def mask_all(self, value: Any) -> Any:
        """What stands under the name of a secret, masked but for None, numbers and booleans."""
        return self.mask(value, everything=True)

    def _masked(self, value: Any, kind: Any, *, everything: bool) -> Any:
        parts = parts_shown(value)
        if parts is None:
            return _masked_leaf(value, kind) if everything else self._masked_repr(value)
        return self._rebuilt(value, kind, parts, everything=everything)

    def _rebuilt(self, value: Any, kind: Any, parts: Parts, *, everything: bool) -> Any:
        redactor, form = self._redactor, parts.form
        hidden: frozenset[str] = frozenset()
        if form is Form.FIELDS:
            hidden = frozenset(
                name for name, others in shape_of(kind).aliases.items() if any(map(redactor.hides, others))
            )
        old = redactor.named_items(value, parts)
        items = [
            (
                self._mask_key(name) if form is Form.MAPPING else name,
                self.mask(item, everything=everything or name in hidden or redactor.hides(name)),
            )
            for name, item in old
        ]
        if form is Form.FIELDS:
            names, computed = {name for name, _ in items}, shape_of(kind).computed
            secret = (name for name in computed if everything or name in hidden or redactor.hides(name))
            items += [(name, MASK) for name in secret if name not in names]
        if len(items) == len(old) and all(
            new is was and (name is key or form is not Form.MAPPING)
            for (key, new), (name, was) in zip(items, old, strict=True)
        ):
            return value
        if form is Form.LIST:
            return rebuilt_list(value, kind, [item for _, item in items])
        if form is Form.MAPPING:
            return rebuilt_dict(
                value, dict(items), renamed=any(a is not b for (a, _), (b, _) in zip(items, old, strict=True))
            )
        return rebuilt_fields(value, dict(items))

    def _mask_key(self, key: Any) -> Any:
        """A key, which may hold a secret if it is no mere name."""
        if id(class_of(key)) in ATOMS:
            return key
        masked = self.mask(key)
        try:
            hash(masked)
        except TypeError:
            return json_key(masked["__repr__"] if class_of(masked) is dict and "__repr__" in masked else repr(masked))
        return masked

    def _masked_repr(self, value: Any) -> Any:
        """What is written by its `repr`, or itself, if that shows no secret."""
        if attributes_shown(value) is None:
            return value
        secrets = self._redactor.texts_in(value)
        text = repr(value) if secrets else ""
        masked = mask_texts(text, secrets)
        return value if masked == text else {"__repr__": clean_text(masked[:MAX_REPR]), "__type__": type_name(value)}


def _masked_atom(value: Any, kind: Any) -> Any:
    if id(kind) in NUMBERS or id(kind) in _SECRETS:
        return value
    mask = MASK if kind is str else MASKED_BYTES
    return value if value == mask else mask


def _masked_leaf(value: Any, kind: Any) -> Any:
    """What holds nothing and is no atom: numbers of other classes stay, too."""
    if any(has_base(kind, base) for base in (bytes, bytearray, memoryview)):
        return MASKED_BYTES
    if has_base(kind, Enum) or not (has_base(kind, int) or has_base(kind, float)):
        return MASK
    return value


def _shows(item: Any) -> bool:
    """Whether there is something to mask in what stands under the name of a secret."""
    kind = class_of(item)
    if id(kind) in ATOMS:
        return _masked_atom(item, kind) is not item
    return _Masking(_NOTHING).mask_all(item) is not item


@lru_cache
def redactor_for(names: tuple[str, ...]) -> Redactor:
    """The redactor that masks these names."""
    return Redactor(names)


_NOTHING: Final = Redactor(())
DEFAULT_REDACTOR: Final = redactor_for(DEFAULT_REDACTED)
"""Masks what no flow's config speaks for."""
