"""The parts of values that their JSON or their `repr` shows, in which there may be secrets."""

from collections.abc import Callable, ItemsView, Iterator, ValuesView
from enum import Enum
from functools import partial
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any, Final
from uuid import UUID

from pydantic import Secret, SecretBytes, SecretStr, ValidationError

from .introspection import INTERRUPTIONS, Form, Parts, bases_of, class_of, has_base, mapping_parts, parts_of, shape_of
from .shown_attributes import attributes_of, slots_of

__all__ = [
    "ATOMS",
    "NUMBERS",
    "VIEWS",
    "attributes_shown",
    "causes_of",
    "is_secret",
    "objects_in",
    "other_names",
    "parts_shown",
    "texts_below",
]

NUMBERS: Final = frozenset(map(id, (type(None), bool, int, float, complex)))
"""Classes of values that are no secrets, by identity: asking a class for its hash asks its metaclass."""
ATOMS: Final = NUMBERS | frozenset(map(id, (str, bytes, SecretStr, SecretBytes)))
"""Classes that hold nothing."""
VIEWS: Final[tuple[Any, ...]] = (ItemsView, ValuesView)
_PLAIN_REPR: Final = id(vars(object)["__repr__"])
_TEXTS: Final[tuple[Any, ...]] = (str, UUID, Enum)
"""Kinds of values, besides bytes, that stand for a text."""
_SECRETS: Final[tuple[Any, ...]] = (SecretStr, SecretBytes, Secret)
_RAW: Any = vars(BaseException)
_MAX_CAUSES: Final = 10
_NOT_SHOWN: Final = frozenset({"obj", "__suppress_context__"})
"""Attributes that built-in exceptions have and do not show, such as the object of an `AttributeError`."""
_LIVE: Final[tuple[Any, ...]] = (type, ModuleType, FunctionType)
"""Kinds of objects whose attributes their `repr` does not show."""


def objects_in(value: Any, parts_in: Callable[[Any], Parts | None]) -> Iterator[Any]:
    """The objects in a value, and the value itself, each once; `parts_in` finds the parts of one object."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if id(class_of(found)) in ATOMS or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        parts = parts_in(found)
        waiting.extend(item for _, item in (parts.items if parts is not None else ()))


def texts_below(value: Any, *, is_shown: bool = False) -> Iterator[str]:
    """All texts in a value; `is_shown`: also those with which `str` and `repr` show other values."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        kind = class_of(found)
        if id(kind) in ATOMS or id(found) not in seen:
            seen.add(id(found))
            parts = None if id(kind) in ATOMS else parts_shown(found)
            if parts is None:
                yield from _texts_of(found, kind, is_shown=is_shown)
            else:
                waiting.extend(item for _, item in parts.items)


def _texts_of(value: Any, kind: Any, *, is_shown: bool) -> Iterator[str]:
    """The texts of a value that holds no others."""
    if kind is str:
        yield value
    elif kind is bytes:
        yield value.decode("utf-8", "replace")
    elif is_secret(kind):
        yield from _texts_of(value.get_secret_value(), class_of(value.get_secret_value()), is_shown=is_shown)
    elif id(kind) not in NUMBERS:
        try:
            if any(has_base(kind, base) for base in _TEXTS):
                yield str(value.value if has_base(kind, Enum) else value)
            if is_shown:
                yield from (repr(value), str(value))
        except INTERRUPTIONS:
            raise
        except BaseException:  # a value that cannot be shown shows nothing
            return


def is_secret(kind: Any) -> bool:
    """Whether a class is one of Pydantic's secrets."""
    return kind is SecretStr or kind is SecretBytes or any(has_base(kind, base) for base in _SECRETS)


def other_names(value: Any, parts: Parts) -> Iterator[tuple[object, Any]]:
    """The fields of a model by their aliases, and its computed fields, whose values are not known."""
    shape, held = shape_of(class_of(value)), dict(parts.items)
    computed = [name for name in shape.computed if name not in getattr(value, "__dict__", {})]
    yield from ((name, "?") for name in computed)
    for name, others in shape.aliases.items():
        yield from ((other, held.get(name, "?" if name in computed else None)) for other in others)


def parts_shown(value: Any) -> Parts | None:
    """The parts of a container, model or view; None for a value without parts, or one that cannot be read."""
    try:
        return parts_of(value) or mapping_parts(value) or _view_parts(value)
    except INTERRUPTIONS:
        raise
    except BaseException:  # a container that cannot be read shows nothing
        return None


def _view_parts(value: Any) -> Parts | None:
    """The items of the mapping behind a view of its values or items, all of which its `repr` shows."""
    if not isinstance(value, VIEWS):
        return None
    mapping = value.mapping if hasattr(value, "mapping") else value._mapping  # noqa: SLF001 - the only way there
    return Parts(Form.MAPPING, list(mapping.items()))


def attributes_shown(value: Any) -> Parts | None:
    """The attributes of an object that is written by a `repr` of its own, which may show them."""
    kind = class_of(value)
    if has_base(kind, BaseException):
        return _error_parts(value)
    own = next((vars(base)["__repr__"] for base in bases_of(kind) if "__repr__" in vars(base)), None)
    if id(own) == _PLAIN_REPR or any(has_base(kind, base) for base in _LIVE):
        return None
    try:
        if has_base(kind, partial):
            return Parts(Form.FIELDS, [*((None, arg) for arg in value.args), *value.keywords.items()])
        names: list[str] = [field.name for field in getattr(kind, "__attrs_attrs__", ())]
        held: dict[str, Any] = {name: getattr(value, name) for name in names} if names else attributes_of(value)
    except INTERRUPTIONS:
        raise
    except BaseException:
        return None
    transparent = bool(names) or has_base(kind, SimpleNamespace) or kind.__module__ == "argparse"
    shown = [(name, item) for name, item in held.items() if transparent or id(class_of(item)) in ATOMS]
    return Parts(Form.FIELDS, shown)


def _error_parts(error: BaseException) -> Parts:
    """The arguments and attributes of an exception and of its causes, members of groups, and inputs that Pydantic refused."""
    items: list[tuple[Any, Any]] = []
    for link in causes_of(error):
        try:
            items += ((None, arg) for arg in _RAW["args"].__get__(link))
            items += _RAW["__dict__"].__get__(link).items()
            items += ((name, item) for name, item in slots_of(link).items() if name not in _NOT_SHOWN)
            if has_base(class_of(link), BaseExceptionGroup):
                items += ((None, member) for member in link.exceptions)
            if has_base(class_of(link), ValidationError):
                items += ((None, problem) for problem in link.errors(include_url=False))
        except INTERRUPTIONS:
            raise
        except BaseException:  # an exception that defends itself against being read  # noqa: S112
            continue
    return Parts(Form.FIELDS, items)


def causes_of(error: BaseException) -> Iterator[Any]:
    """An exception and its nearest causes, whose texts its own may repeat."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting and len(seen) < _MAX_CAUSES:
        found = waiting.pop(0)
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += _RAW["__cause__"].__get__(found), _RAW["__context__"].__get__(found)
