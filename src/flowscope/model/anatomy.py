"""What values are made of, found out without asking them: a hostile class, or its metaclass, gets no word in it."""

import dataclasses
import weakref
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NamedTuple, get_args

from pydantic import BaseModel, PlainSerializer, RootModel, SerializeAsAny, WrapSerializer

__all__ = [
    "BY_ALIAS",
    "INTERRUPTIONS",
    "Form",
    "ModelShape",
    "Parts",
    "class_of",
    "has_base",
    "mapping_parts",
    "parts_of",
    "shape_of",
    "type_name",
]

_DUMP: Any = BaseModel.model_dump
BY_ALIAS: Any = _DUMP.__kwdefaults__["by_alias"]
"""None: as the class says with `serialize_by_alias`. False in a Pydantic that does not ask the class."""

_MRO: Any = vars(type)["__mro__"]
_QUALNAME: Any = vars(type)["__qualname__"]
_MODULE: Any = vars(type)["__module__"]

_DICT: Any = dict
_MAPPING: Any = Mapping
_LISTS: Final[tuple[Any, ...]] = (list, tuple, set, frozenset, deque)
_SERIALIZERS: Any = (PlainSerializer, WrapSerializer, SerializeAsAny)
_OWN_WAYS: Final = frozenset({"json_encoders", "ser_json_temporal", "ser_json_timedelta"})

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


def has_base(kind: Any, wanted: Any) -> bool:
    """Whether a class is derived from another."""
    return any(base is wanted for base in _MRO.__get__(kind))


class ModelShape(NamedTuple):
    """How a class of Pydantic models writes itself."""

    whole: bool
    """By a serialiser of the model as a whole."""
    own: frozenset[str]
    """The fields with serialisers of their own."""
    excluded: frozenset[str]
    computed: tuple[str, ...]
    shown: Mapping[str, str]
    """Field name to the name in JSON, where they differ."""


_shapes: "weakref.WeakKeyDictionary[type[BaseModel], ModelShape]" = weakref.WeakKeyDictionary()


def shape_of(kind: type[BaseModel]) -> ModelShape:
    """How models of a class write themselves."""
    shape = _shapes.get(kind)
    if shape is None:
        shape = _shapes[kind] = _find_shape(kind)
    return shape


def _find_shape(kind: type[BaseModel]) -> ModelShape:
    decorators, config, fields = kind.__pydantic_decorators__, kind.model_config, kind.model_fields
    own = {name for one in decorators.field_serializers.values() for name in one.info.fields}
    for name, field in fields.items():
        if any(map(_writes, field.metadata)) or _has_own_way(field.annotation):
            own.add(name)
    if "*" in own or _OWN_WAYS & config.keys():
        own = set(fields)
    by_alias = config.get("serialize_by_alias", False)
    aliases = {name: field.serialization_alias or field.alias for name, field in fields.items()}
    return ModelShape(
        whole=bool(decorators.model_serializers),
        own=frozenset(own),
        excluded=frozenset(name for name, field in fields.items() if field.exclude),
        computed=tuple(decorators.computed_fields),
        shown={name: alias for name, alias in aliases.items() if by_alias and alias is not None},
    )


def _writes(mark: object) -> bool:
    return isinstance(mark, _SERIALIZERS) or mark is SerializeAsAny


def _has_own_way(hint: Any) -> bool:
    """Whether an annotation has a serialiser anywhere in it."""
    return any(map(_writes, getattr(hint, "__metadata__", ()))) or any(map(_has_own_way, get_args(hint)))


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
    if has_base(kind, RootModel):
        return Parts(Form.ROOT, [("root", value.__dict__.get("root"))])
    if has_base(kind, BaseModel):
        held: dict[str, Any] = {**value.__dict__, **(value.__pydantic_extra__ or {})}
        return Parts(Form.FIELDS, list(held.items()))
    names = _dataclass_fields(kind)
    return (
        Parts(Form.FIELDS, [(name, getattr(value, name)) for name in names if hasattr(value, name)]) if names else None
    )


def _dataclass_fields(kind: Any) -> list[str]:
    bases: list[type] = list(_MRO.__get__(kind))
    is_dataclass = any("__dataclass_fields__" in vars(base) for base in bases)
    return [field.name for field in dataclasses.fields(kind)] if is_dataclass else []


def mapping_parts(value: Any) -> Parts | None:
    """What a mapping that is no dict holds: it is not written item by item, but its `repr` may show everything."""
    return Parts(Form.MAPPING, list(value.items())) if isinstance(value, _MAPPING) else None
