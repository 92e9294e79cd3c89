"""Records from values that are right already."""

from typing import Any, TypeVar

from pydantic import BaseModel

__all__ = ["assembled_from", "construct_trusted"]

M = TypeVar("M", bound=BaseModel)

_new: Any = object.__new__
_SLOTS: Any = vars(BaseModel)
_set_values, _set_fields, _set_extra, _set_private = (
    _SLOTS[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


def construct_trusted(kind: type[M], fields: set[str], /, **values: Any) -> M:
    """The same of keywords."""
    return assembled_from(kind, fields, values)


def assembled_from(kind: type[M], fields: set[str], values: dict[str, Any]) -> M:
    """A record that holds these very values, one for each of its fields.

    It is what `model_construct` makes, without its search for aliases and defaults, which takes most of its time.
    """
    record: Any = _new(kind)
    _set_values(record, values)  # past the record's own ways, which refuse to be changed
    _set_fields(record, fields)
    _set_extra(record, None)
    _set_private(record, None)
    return record  # type: ignore[no-any-return] # what `__new__` makes
