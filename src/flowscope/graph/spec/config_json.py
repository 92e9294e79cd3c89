"""The config of a routine as JSON, and whether it is the same when it comes back."""

from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from ..errors import SpecError

__all__ = ["check_same", "config_of"]


def config_of(routine: BaseModel, what: str, *, by_alias: bool) -> dict[str, Any]:
    """The fields as JSON has them, without computed ones.

    Raises:
        SpecError: One of them has no JSON form.
    """
    try:
        text = routine.model_dump_json(by_alias=by_alias, exclude=set(type(routine).model_computed_fields))
    except Exception as error:  # a serializer may raise anything
        raise SpecError(f"the config of {what} has no JSON form: {error}") from error
    config: dict[str, Any] = from_json(text)
    return config


def check_same(routine: BaseModel, again: BaseModel, what: str) -> None:
    """Refuse a config that has lost something on its way through JSON, such as an excluded field or a secret.

    Raises:
        SpecError: A field is not the same. Its value is not told, for it may be a secret.
    """
    found = dict(again)
    for name, value in dict(routine).items():
        if name not in found or not _same(value, found[name]):
            raise SpecError(
                f"field {name!r} of {what} does not come back from JSON as it is. Give it a form that it can be read "
                "from again; what is to stay out of a spec, such as a secret, is better looked up by the handler."
            )


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal, as far as their types know what that is."""
    try:
        if one == other or (one != one and other != other):  # noqa: PLR0124 - which is so of what is no number
            return True
    except Exception:
        return type(one) is type(other)
    kind: Any = type(one)  # pyright: ignore[reportUnknownVariableType] # it may be anything
    if kind is not type(other):
        return False
    if issubclass(kind, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if issubclass(kind, dict | BaseModel):
        return _same_items(dict(one), dict(other))
    equality: Any = object.__eq__
    return kind.__eq__ is equality


def _same_items(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
