"""The name, kind and parameters of a function, read once, when it is decorated or set up."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Final, cast

from ...errors import DefinitionError
from .annotations import Annotations
from .field_defaults import FieldInfo, field_of

__all__ = ["VARIADIC", "Definition", "Kind", "define", "kind_of", "unwrap_partial"]

VARIADIC: Final = frozenset({inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})
"""The kinds of `*args` and `**kwargs`."""


class Kind(Enum):
    """The kind of a function: sync or async, plain or generator."""

    SYNC = "sync"
    ASYNC = "async"
    GENERATOR = "generator"
    ASYNC_GENERATOR = "async generator"

    @property
    def awaits(self) -> bool:
        """Whether it may await."""
        return self in {Kind.ASYNC, Kind.ASYNC_GENERATOR}

    @property
    def yields(self) -> bool:
        """Whether it is a generator."""
        return self in {Kind.GENERATOR, Kind.ASYNC_GENERATOR}


@dataclass(frozen=True, slots=True)
class Definition:
    """A callable's name, kind and parameters."""

    target: Callable[..., Any]
    name: str
    kind: Kind
    parameters: tuple[inspect.Parameter, ...]
    annotations: Annotations
    """Its annotations, and where their names are found."""
    binds_self: bool
    """Whether the first positional argument is the object that a method belongs to."""
    bound: frozenset[str]
    """The parameters to which a partial has given a value by name."""

    @property
    def hints(self) -> Mapping[str, Any]:
        """Parameter name to its annotation, where that could be resolved when the function was decorated."""
        return self.annotations.hints

    @property
    def fields(self) -> Mapping[str, FieldInfo]:
        """Parameter name to the Pydantic field that is its default, or that holds one in its annotation."""
        fields = {each.name: field_of(each.default, self.hints.get(each.name)) for each in self.named}
        return {name: field for name, field in fields.items() if field is not None}

    @property
    def named(self) -> tuple[inspect.Parameter, ...]:
        """The parameters that take one value each: all but `*args` and `**kwargs`."""
        return tuple(parameter for parameter in self.parameters if parameter.kind not in VARIADIC)

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters that have no default."""
        fields = self.fields
        return tuple(
            each.name
            for each in self.named
            if (fields[each.name].is_required() if each.name in fields else each.default is each.empty)
        )

    @property
    def signature(self) -> inspect.Signature:
        """The signature, without its return annotation."""
        return inspect.Signature(self.parameters)


def _advice(target: object, role: str) -> str:
    """The next step after the refusal of an object that is no function."""
    if isinstance(target, _WRAPPED_METHODS):
        return f"Put @{type(target).__name__} above the decorator."
    if isinstance(target, type):
        return "Give a function that makes an object of it." if role == "provider" else "Give one of its methods."
    if isinstance(target, str) and role in {"flow", "task"}:
        return f"Options are given by keyword, such as {role}_name={target!r}."
    return "Give the function itself, not what a call of it returns."


def define(target: Callable[..., Any], role: str) -> Definition:
    """Describe a callable; the error names its `role` ("flow", "task").

    Raises:
        DefinitionError: `target` is a class or cannot be called.
    """
    if isinstance(target, (type, *_WRAPPED_METHODS)) or not callable(target):
        raise DefinitionError(
            f"{role} {target!r}", f"wanted a function, found {type(target).__name__}. {_advice(target, role)}"
        )
    function = _function_of(target)
    return Definition(
        target=target,
        name=getattr(function, "__name__", type(target).__name__) if _is_named(target) else _class_name(target),
        kind=kind_of(target),
        parameters=_parameters_of(target),
        annotations=Annotations(_annotated(target, function)),
        binds_self=_is_unbound_method(function) and target is function,
        bound=_bound_by_partials(target),
    )


_WRAPPED_METHODS: Any = (classmethod, staticmethod)
_PARTIAL: Any = partial


def unwrap_partial(target: Callable[..., Any]) -> Callable[..., Any]:
    """The function inside partials."""
    inner: Any = target
    while isinstance(inner, _PARTIAL):
        inner = inner.func
    return cast("Callable[..., Any]", inner)


def _bound_by_partials(target: Callable[..., Any]) -> frozenset[str]:
    inner: Any = target
    names: frozenset[str] = frozenset()
    while isinstance(inner, _PARTIAL):
        names |= inner.keywords.keys()
        inner = inner.func
    return names


def _is_named(target: Callable[..., Any]) -> bool:
    return isinstance(getattr(unwrap_partial(target), "__name__", None), str)


def _class_name(target: Callable[..., Any]) -> str:
    return type(unwrap_partial(target)).__name__


def _function_of(target: Callable[..., Any]) -> Callable[..., Any]:
    """The function that runs: inside partials, or a callable object's `__call__`."""
    target = unwrap_partial(target)
    return target if inspect.isroutine(target) else type(target).__call__


def kind_of(target: Callable[..., Any]) -> Kind:
    """The kind of a callable."""
    function = _function_of(target)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(target) or _is_legacy_coroutine(function):
        return Kind.ASYNC
    if inspect.isasyncgenfunction(function):
        return Kind.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(function):
        return Kind.GENERATOR
    return Kind.SYNC


def _is_legacy_coroutine(function: Callable[..., Any]) -> bool:
    """Whether it is a generator function that `types.coroutine` has made awaitable."""
    flags: int = getattr(getattr(function, "__code__", None), "co_flags", 0)
    return bool(flags & inspect.CO_ITERABLE_COROUTINE)


def _parameters_of(target: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    try:
        return tuple(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):  # a builtin without a signature
        kinds = (("args", inspect.Parameter.VAR_POSITIONAL), ("kwargs", inspect.Parameter.VAR_KEYWORD))
        return tuple(inspect.Parameter(name, kind) for name, kind in kinds)


def _annotated(target: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that has the annotations: for a wrapper in C, such as a cache, the function inside."""
    return function if hasattr(function, "__annotations__") else inspect.unwrap(unwrap_partial(target))


def _is_unbound_method(function: Callable[..., Any]) -> bool:
    scope, _, _ = getattr(function, "__qualname__", "").rpartition(".")
    if not scope or scope.endswith("<locals>") or inspect.ismethod(function):
        return False
    first = next(iter(_parameters_of(function)), None)
    return first is not None and first.name in {"self", "cls"} and first.kind in _POSITIONAL


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
