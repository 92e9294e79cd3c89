"""The parts of values that their JSON or their `repr` shows, in which there may be secrets."""

from collections.abc import ItemsView, Iterator, ValuesView
from functools import partial
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any, Final

from pydantic import SecretBytes, SecretStr

from .introspection import INTERRUPTIONS, Form, Parts, bases_of, class_of, has_base, mapping_parts, parts_of, shape_of
from .shown_attributes import attributes_of

__all__ = ["ATOMS", "NUMBERS", "VIEWS", "attributes_shown", "other_names", "parts_shown", "texts_below"]

NUMBERS: Final = frozenset(map(id, (type(None), bool, int, float, complex)))
"""Classes of values that are no secrets, by identity: asking a class for its hash asks its metaclass."""
ATOMS: Final = NUMBERS | frozenset(map(id, (str, bytes, SecretStr, SecretBytes)))
"""Classes that hold nothing."""
VIEWS: Final[tuple[Any, ...]] = (ItemsView, ValuesView)
_PLAIN_REPRS: Final = frozenset({id(vars(object)["__repr__"]), id(vars(BaseException)["__repr__"])})
_LIVE: Final[tuple[Any, ...]] = (type, ModuleType, FunctionType)
"""Kinds of objects whose attributes their `repr` does not show."""


def texts_below(value: Any) -> Iterator[str]:
    """All texts in a value."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        kind = class_of(found)
        if kind is str:
            yield found
        elif kind is bytes:
            yield found.decode("utf-8", "replace")
        elif id(kind) not in ATOMS and id(found) not in seen:
            seen.add(id(found))
            parts = parts_shown(found)
            waiting.extend(item for _, item in (parts.items if parts is not None else ()))


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
    own = next((vars(base)["__repr__"] for base in bases_of(kind) if "__repr__" in vars(base)), None)
    if id(own) in _PLAIN_REPRS or any(has_base(kind, base) for base in _LIVE):
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
