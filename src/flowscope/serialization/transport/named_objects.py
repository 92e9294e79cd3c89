"""Objects of modules by their names: the module's, and the dotted name in it."""

import sys
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from typing import Any

__all__ = ["import_object", "loaded_object", "object_behind", "wrapped_layers"]


def import_object(module: str, qualname: str) -> Any:
    """The object of that name; its module is imported.

    Raises:
        ImportError: There is no such module.
        AttributeError: The module has no such object.
    """
    return reduce(getattr, qualname.split("."), import_module(module))


def loaded_object(module: str, qualname: str) -> Any:
    """The object of that name in a module that is loaded; None if there is none."""
    value: Any = sys.modules.get(module)
    for part in qualname.split("."):
        value = getattr(value, part, None)
    return value


def wrapped_layers(module: str, qualname: str) -> Iterator[object]:
    """The object of that name, the function that it wraps, and so on; nothing, if there is no such object."""
    try:
        layer: Any = import_object(module, qualname)
    except (ImportError, AttributeError):
        return
    while layer is not None:
        yield layer
        layer = getattr(layer, "__wrapped__", None)


def object_behind(module: str, qualname: str, depth: int) -> object:
    """The function so many layers behind the decorated one of that name.

    Raises:
        AttributeError: There are fewer layers.
    """
    for layer_depth, layer in enumerate(wrapped_layers(module, qualname)):
        if layer_depth == depth:
            return layer
    raise AttributeError(f"{module} has no decorated function {qualname}")
