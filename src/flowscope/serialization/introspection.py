"""What values are made of, found out without asking them: a hostile class, or its metaclass, gets no word in it."""

import dataclasses
import sys
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

from pydantic import AliasChoices, AliasPath, BaseModel

__all__ = [
    "BY_ALIAS",
    "INTERRUPTIONS",
    "MASK",
    "Form",
    "ModelShape",
    "Parts",
    "aliases_of",
    "bases_of",
    "class_of",
    "has_base",
    "mapping_parts",
    "parts_of",
    "shape_of",
    "type_name",
]

MASK: Final = "**********"
"""What Pydantic writes for a `SecretStr`, and a record for what is masked."""

_DUMP: Any = BaseModel.model_dump
BY_ALIAS: Any = _DUMP.__kwdefaults__["by_alias"]
"""None: as the class says with `serialize_by_alias`. False in a Pydantic that does not ask the class."""

_MRO: Any = vars(type)["__mro__"]
_QUALNAME: Any = vars(type)["__qualname__"]
_MODULE: Any = vars(type)["__module__"]

_DICT: Any = dict
_MAPPING: Any = Mapping
_LISTS: Final[tuple[Any, ...]] = (list, tuple, set, frozenset, deque)

INTERRUPTIONS: Final = (KeyboardInterrupt, SystemExit)
"""Errors that are meant for the program, not told by the value that is looked at when they come."""


def type_name(value: object) -> str:
    """The dotted name of the value's class."""
    kind = type(value)
    try:
        return f"{_MODULE.__get__(kind)}.{_QUALNAME.__get__(kind)}"
    except Exception:
        return "object"


def class_of(value: object) -> Any:
    """The value's class."""
    return type(value)


def bases_of(kind: Any) -> tuple[type, ...]:
    """A class and all that it is derived from."""
    bases: tuple[type, ...] = _MRO.__get__(kind)
    return bases


def has_base(kind: Any, wanted: Any) -> bool:
    """Whether a class is derived from another."""
    return any(base is wanted for base in _MRO.__get__(kind))


class ModelShape(NamedTuple):
    """What the fields of a class of models, or of Pydantic's dataclasses, are in JSON."""

    whole: bool
    """Whether the class has a serialiser for the whole."""
    excluded: frozenset[str]
    computed: tuple[str, ...]
    shown: Mapping[str, str]
    """Name of a field, or of a computed one, to the name in JSON, where they differ."""
    aliases: Mapping[str, tuple[str, ...]]
    """Name of a field, or of a computed one, to all its other names, those for validation included."""


_shapes: "weakref.WeakKeyDictionary[type[Any], ModelShape]" = weakref.WeakKeyDictionary()
_NOTHING: Final = ModelShape(whole=False, excluded=frozenset(), computed=(), shown={}, aliases={})


def shape_of(kind: Any) -> ModelShape:
    """What the fields of a class are in JSON; nothing special for a class that is not Pydantic's."""
    if not any("__pydantic_decorators__" in vars(base) for base in bases_of(kind)):
        return _NOTHING
    shape = _shapes.get(kind)
    if shape is None:
        shape = _shapes[kind] = _find_shape(kind)
    return shape


def _find_shape(kind: Any) -> ModelShape:
    model = has_base(kind, BaseModel)
    config = kind.model_config if model else kind.__pydantic_config__
    fields = kind.model_fields if model else kind.__pydantic_fields__
    computed = {name: found.info for name, found in kind.__pydantic_decorators__.computed_fields.items()}
    aliases = {name: field.serialization_alias or field.alias for name, field in fields.items()}
    aliases |= {name: field.alias for name, field in computed.items()}
    others = {name: tuple(_names_in((field.alias, field.validation_alias))) for name, field in fields.items()}
    by_alias = config.get("serialize_by_alias", False)
    return ModelShape(
        whole=bool(kind.__pydantic_decorators__.model_serializers),
        excluded=frozenset(name for name, field in fields.items() if field.exclude),
        computed=tuple(computed),
        shown={name: alias for name, alias in aliases.items() if by_alias and alias is not None},
        aliases={
            name: (*others.get(name, ()), *_names_in(aliases[name]))
            for name in aliases
            if others.get(name) or aliases[name]
        },
    )


def _names_in(alias: object) -> Iterator[str]:
    """The names in an alias for validation: text, a path, choices between such, or nothing."""
    if isinstance(alias, str):
        yield alias
    elif isinstance(alias, AliasPath):
        yield from _names_in(tuple(alias.path))
    elif isinstance(alias, AliasChoices):
        yield from _names_in(tuple(alias.choices))
    elif isinstance(alias, (list, tuple)):
        parts: Any = alias  # pyright: ignore[reportUnknownVariableType] # any items
        for part in parts:
            yield from _names_in(part)


def aliases_of(kind: Any, name: str) -> tuple[str, ...]:
    """The other names of a field of a class."""
    return shape_of(kind).aliases.get(name, ())


class Form(Enum):
    """How a value holds others."""

    MAPPING = "mapping"
    """By key."""
    LIST = "list"
    """One after the other."""
    ROOT = "root"
    """As a model that stands for one value."""
    FIELDS = "fields"
    """By field: a model or dataclass."""


class Parts(NamedTuple):
    """What a value holds."""

    form: Form
    items: list[tuple[Any, Any]]
    """Key or field name, and value; in lists the name is None, but for named tuples."""


def parts_of(value: Any) -> Parts | None:  # noqa: PLR0911 - one return a kind
    """What a value holds; None if it holds nothing that a record shows one by one."""
    kind = class_of(value)
    if kind is dict:
        return Parts(Form.MAPPING, list(value.items()))
    if kind is list:
        return Parts(Form.LIST, [(None, item) for item in value[:]])
    if has_base(kind, dict):
        return Parts(Form.MAPPING, list(_DICT.items(value)))
    for base in _LISTS:
        if has_base(kind, base):
            items = list(base.__iter__(value))
            names = getattr(kind, "_fields", ()) if base is tuple else ()
            named = names if len(names) == len(items) else [None] * len(items)
            return Parts(Form.LIST, list(zip(named, items, strict=True)))
    if has_base(kind, _root_model()):
        return Parts(Form.ROOT, [("root", value.__dict__.get("root"))])
    if has_base(kind, BaseModel):
        held: dict[str, Any] = {**value.__dict__, **(value.__pydantic_extra__ or {})}
        return Parts(Form.FIELDS, list(held.items()))
    names = _dataclass_fields(kind)
    return (
        Parts(Form.FIELDS, [(name, getattr(value, name)) for name in names if hasattr(value, name)]) if names else None
    )


def _root_model() -> Any:
    """Pydantic's `RootModel`, where anybody uses it: importing it builds a model."""
    return getattr(sys.modules.get("pydantic.root_model"), "RootModel", None)


def _dataclass_fields(kind: Any) -> list[str]:
    bases: list[type] = list(_MRO.__get__(kind))
    is_dataclass = any("__dataclass_fields__" in vars(base) for base in bases)
    return [field.name for field in dataclasses.fields(kind)] if is_dataclass else []


def mapping_parts(value: Any) -> Parts | None:
    """What a mapping that is no dict holds: it is not written item by item, but its `repr` may show everything."""
    return Parts(Form.MAPPING, list(value.items())) if isinstance(value, _MAPPING) else None
