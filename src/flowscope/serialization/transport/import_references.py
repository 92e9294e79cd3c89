"""Functions and classes by name: `module:qualname`. Nothing is ever evaluated; what is named is imported."""

import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType, ModuleType
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, PlainSerializer, PlainValidator, ValidationInfo

from ...errors import GraphError
from ..json.json_leaves import safe_repr
from .named_objects import import_object

__all__ = [
    "FROM_SPEC",
    "ExceptionTypes",
    "ModelType",
    "Sources",
    "find_reference",
    "is_reference",
    "only_from",
    "reference_to",
]

T = TypeVar("T")

FROM_SPEC: Final[Mapping[str, str]] = MappingProxyType({"from": "spec"})
"""The validation context in which a routine is made from its spec, where text may be the name of something."""


def is_reference(text: str) -> bool:
    """Whether it has the form of a name, which no expression has."""
    module, colon, name = text.partition(":")
    return bool(colon) and all(part.isidentifier() for part in [*module.split("."), *name.split(".")])


def reference_to(thing: Any, what: str) -> str:
    """The name under which a function or class is found again.

    Raises:
        GraphError: It is not found under its name: a lambda, or something defined inside a function.
    """
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    reference = f"{module}:{name}"
    if isinstance(module, str) and isinstance(name, str) and is_reference(reference):
        try:
            if find_reference(reference, what) is thing:
                return reference
        except GraphError:
            pass
    raise GraphError(
        f"{what} is {safe_repr(thing)}, which cannot be found again by its name. Use a function or class at the top of a "
        "module."
    )


def find_reference(reference: str, what: str) -> Any:
    """The function or class of that name.

    Raises:
        GraphError: There is none.
    """
    module, _, name = reference.partition(":")
    if not all(map(_is_plain, [*module.split("."), *name.split(".")])):
        raise _not_found(reference, what, "it is no path of plain names")
    sources = _sources.get()
    if sources is not None:
        return sources.find(module, name, reference, what)
    return _imported(module, name, reference, what)


def _imported(module: str, name: str, reference: str, what: str) -> Any:
    try:
        return import_object(module, name)
    except (Exception, SystemExit) as error:  # a module may fail in any way when it is imported
        raise _not_found(reference, what, error) from error


class Sources:
    """Where the classes and functions of a spec may come from.

    Args:
        packages: Names of packages and modules; None stands for all that are imported and not the standard library.

    Raises:
        GraphError: It is one text, or has something else than names of modules.
    """

    def __init__(self, packages: Iterable[str] | None) -> None:
        if isinstance(packages, str):
            raise GraphError(f"modules is {packages!r}, wanted a list of names, such as [{packages!r}].")
        self._packages = None if packages is None else tuple(packages)
        named: tuple[object, ...] = self._packages or ()
        for one in named:
            if not (isinstance(one, str) and one):  # pyright: ignore[reportUnnecessaryIsInstance] # for those who do not check types
                raise GraphError(f"modules has {one!r}, wanted names of packages or modules.")

    def allow(self, module: object) -> bool:
        """Whether something may come from a module. Nothing is imported to find out."""
        if not isinstance(module, str):
            return False
        if self._packages is not None:
            return any(module == one or module.startswith(f"{one}.") for one in self._packages)
        package = module.partition(".")[0]
        return package in sys.modules and package not in sys.stdlib_module_names

    def find(self, module: str, name: str, reference: str, what: str) -> Any:
        """What is named, if it may be used and is defined where that is so: not brought there from somewhere else.

        Raises:
            GraphError: It may not, or there is none.
        """
        if module in sys.stdlib_module_names and module in sys.modules:
            known: Any = getattr(sys.modules[module], name, None)
            if isinstance(known, type) and issubclass(known, Exception):
                return known  # such as what is worth another attempt
        if not self.allow(module) and module not in _OWN:
            raise self._refused(reference, what)
        found = _imported(module, name, reference, what)
        home: object = getattr(found, "__module__", None)
        if isinstance(found, ModuleType) or not (self.allow(home) or home in _OWN):
            raise self._refused(reference, what)
        return found

    def _refused(self, reference: str, what: str) -> GraphError:
        if self._packages is None:
            allowed = "packages that are imported already and are not the standard library"
        else:
            allowed = ", ".join(map(repr, self._packages)) or "no package"
        return GraphError(
            f"{what} is {reference!r}, and what this spec names may come from {allowed}. Name its package in "
            "deserialize(spec, modules=[...]), if the spec is to be trusted with it."
        )


_OWN: Final = frozenset({"flowscope.graph", "flowscope.graph.routines.stock"})
"""Whose routines every spec may have; there is nothing else in them that does harm."""

_sources: Final[ContextVar[Sources | None]] = ContextVar("flowscope_graph_sources", default=None)


@contextmanager
def only_from(sources: Sources) -> Generator[None]:
    """A block in which names are found there alone."""
    token = _sources.set(sources)
    try:
        yield
    finally:
        _sources.reset(token)


_MAIN: Final = "__main__"


def _is_plain(part: str) -> bool:
    """Whether it is a name that people give: nothing that leads into the workings of Python."""
    return part.isidentifier() and (part == _MAIN or not (part.startswith("__") and part.endswith("__")))


def _not_found(reference: str, what: str, why: object) -> GraphError:
    step = "Import paths have the form 'module:name'."
    if reference.startswith(f"{_MAIN}:"):
        step = f"{_MAIN!r} is another module in each process. Move it to one that is imported."
    return GraphError(f"{what} is {reference!r}, which cannot be found: {why}. {step}")


def _class(value: object, base: type[T], what: str) -> type[T]:
    found: Any = find_reference(value, what) if isinstance(value, str) else value
    if isinstance(found, type) and issubclass(found, base):
        return found
    shown = repr(value) if isinstance(value, str) else safe_repr(value)
    raise GraphError(f"{what} is {shown}, wanted a subclass of {base.__name__}.")


def _exception_types(value: object) -> tuple[type[Exception], ...]:
    several: Any = value if type(value) in {tuple, list, set, frozenset} else (value,)
    return tuple(_class(one, Exception, "a retryable exception") for one in several)


def _exception_names(types: tuple[type[Exception], ...]) -> list[str]:
    return [reference_to(one, "a retryable exception") for one in types]


ExceptionTypes = Annotated[
    tuple[type[Exception], ...],
    PlainValidator(_exception_types, json_schema_input_type=list[str]),
    PlainSerializer(_exception_names, return_type=list[str]),
]
"""Exception classes; where they are data, their names."""


def _model_type(value: object, info: ValidationInfo) -> type[BaseModel]:
    if isinstance(value, str) and info.context is not FROM_SPEC and info.mode != "json":
        raise GraphError(f"a model is {value!r}, wanted the class itself: names are for specs.")
    return _class(value, BaseModel, "a model")


def _model_name(kind: type[BaseModel]) -> str:
    return reference_to(kind, "a model")


ModelType = Annotated[
    type[BaseModel],
    PlainValidator(_model_type, json_schema_input_type=str),
    PlainSerializer(_model_name, return_type=str, when_used="json"),
]
"""A class of Pydantic models; in JSON its name."""
