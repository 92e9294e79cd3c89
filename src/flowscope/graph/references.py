"""Functions and classes by name: `module:qualname`. Nothing is ever evaluated; what is named is imported."""

import importlib
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from ..errors import GraphError

__all__ = ["ExceptionTypes", "find_reference", "reference_to"]


def reference_to(thing: Any, what: str) -> str:
    """The name under which a function or class is found again.

    Raises:
        GraphError: It is not found under its name: a lambda, or something defined inside a function.
    """
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    reference = f"{module}:{name}"
    if isinstance(module, str) and isinstance(name, str) and "<" not in name:
        try:
            if find_reference(reference, what) is thing:
                return reference
        except GraphError:
            pass
    raise GraphError(
        f"{what} is {thing!r}, which cannot be found again by its name. Use a function or class at the top of a module."
    )


def find_reference(reference: str, what: str) -> Any:
    """The function or class of that name.

    Raises:
        GraphError: There is none.
    """
    module, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # a module may fail in any way when it is imported
        raise GraphError(
            f"{what} is {reference!r}, which cannot be found: {error}. Import paths have the form 'module:name'."
        ) from error
    return found


def _exception_types(value: object) -> object:
    """Exception classes, given as such or by their names."""
    given: Any = (value,) if isinstance(value, type | str) else value
    if type(given) not in {tuple, list}:
        return given
    return tuple(find_reference(item, "an exception") if isinstance(item, str) else item for item in given)


def _exception_names(types: tuple[type[Exception], ...]) -> list[str]:
    return [reference_to(kind, "an exception") for kind in types]


ExceptionTypes = Annotated[
    tuple[type[Exception], ...],
    BeforeValidator(_exception_types),
    PlainSerializer(_exception_names, return_type=list[str]),
]
"""Exception classes; in JSON their names."""
