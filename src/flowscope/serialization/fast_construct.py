"""Records from values that are right already."""

from typing import Any, TypeVar

from pydantic import BaseModel

__all__ = ["construct_trusted"]

M = TypeVar("M", bound=BaseModel)


def construct_trusted(kind: type[M], fields: set[str], /, **values: Any) -> M:
    """A record that holds these very values, one for each of its fields.

    It is what `model_construct` makes, without its search for aliases and defaults, which takes most of its time.
    """
    record = kind.__new__(kind)
    fill = object.__setattr__  # the record's own may refuse
    fill(record, "__dict__", values)
    fill(record, "__pydantic_fields_set__", fields)
    fill(record, "__pydantic_extra__", None)
    fill(record, "__pydantic_private__", None)
    return record
