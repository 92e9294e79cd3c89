"""Defaults of parameters that are a Pydantic `Field(...)`: their default values and aliases."""

import inspect
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from ...errors import DefinitionError

__all__ = ["FieldInfo", "aliases_of", "default_of", "field_of"]


def field_of(default: object, hint: Any) -> FieldInfo | None:
    """The field that is the default of a parameter; else that of its annotation, if it has a default or an alias.

    Args:
        default: The default in the signature, which goes before that of an annotation.
        hint: The annotation, resolved; None if it has none, or is not resolved.
    """
    if isinstance(default, FieldInfo):
        return default
    if default is not inspect.Parameter.empty or get_origin(hint) is not Annotated:
        return None
    if not any(isinstance(each, FieldInfo) for each in get_args(hint)[1:]):
        return None
    field = FieldInfo.from_annotation(hint)
    is_plain = field.is_required() and field.alias is None and field.validation_alias is None
    return None if is_plain else field


def aliases_of(name: str, field: FieldInfo, function: str) -> tuple[str, ...]:
    """The aliases of a parameter.

    Raises:
        DefinitionError: The alias is a path into a value, which no argument has.
    """
    alias: Any = field.validation_alias if field.validation_alias is not None else field.alias
    choices: list[Any] = alias.choices if isinstance(alias, AliasChoices) else [] if alias is None else [alias]
    for choice in choices:
        if not isinstance(choice, str):
            reason = f"the alias of parameter {name!r} is {choice!r}, wanted a text. Give the argument by a name."
            raise DefinitionError(function, reason)
    return tuple(choices)


def default_of(field: FieldInfo, earlier: Mapping[str, Any]) -> Any:
    """The default of a field: a new value from its factory, else a copy of a mutable value.

    Args:
        field: A field that is not required.
        earlier: The arguments that are known, by parameter, for a factory that takes them.
    """
    return field.get_default(call_default_factory=True, validated_data={**earlier})
