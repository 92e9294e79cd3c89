"""Defaults of parameters that are a Pydantic `Field(...)`: the default that they hold, and their other names."""

from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from ...errors import DefinitionError

__all__ = ["FieldInfo", "aliases_of", "default_of"]


def aliases_of(name: str, field: FieldInfo, function: str) -> tuple[str, ...]:
    """The further names that a keyword argument for a parameter may have.

    Raises:
        DefinitionError: The alias is a path into a value, which no argument has.
    """
    given: Any = field.validation_alias if field.validation_alias is not None else field.alias
    choices: list[Any] = given.choices if isinstance(given, AliasChoices) else [] if given is None else [given]
    for choice in choices:
        if not isinstance(choice, str):
            reason = f"the alias of parameter {name!r} is {choice!r}, wanted a text. Give the argument by a name."
            raise DefinitionError(function, reason)
    return tuple(choices)


def default_of(field: FieldInfo, earlier: Mapping[str, Any]) -> Any:
    """The default that a field holds: a new one from its factory, else a copy where it could be changed.

    Args:
        field: A field that is not required.
        earlier: The arguments that are known, by parameter, for a factory that takes them.
    """
    return field.get_default(call_default_factory=True, validated_data={**earlier})
