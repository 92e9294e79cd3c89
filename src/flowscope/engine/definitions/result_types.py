"""Whether the return annotation of a flow class's `run` contradicts the `R` of its `Flow[R]`."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from ...errors import DefinitionError
from .callables import Kind, define

__all__ = ["refuse_contradiction"]

_UNKNOWN: Final = Any
_UNIONS: Any = (Union, UnionType)
_WIDER: Final[Mapping[type, tuple[type, ...]]] = {float: (int,), complex: (int, float)}
"""The types that type checkers accept in place of another one."""


def result_type_of(kind: type[BaseModel], root: type[BaseModel]) -> Any:
    """The result type of the flows of a class, from its bases; `Any` without one."""
    type_args: dict[Any, Any] = {}
    for part in kind.__mro__:
        generic: Mapping[str, Any] = vars(part).get("__pydantic_generic_metadata__") or {}
        origin, args = generic.get("origin"), generic.get("args", ())
        if origin is None:
            continue
        args = tuple(type_args.get(each, each) for each in args)
        if origin is root:
            return args[0]
        type_args |= zip(origin.__pydantic_generic_metadata__["parameters"], args, strict=False)
    return _UNKNOWN


def contradiction(function: Callable[..., Any], result_type: Any) -> str:
    """The return annotation of a function, if no value that it allows is of a type; else an empty text."""
    definition = define(function, "flow")
    hint = definition.hints.get("return", _UNKNOWN)
    if definition.kind is not Kind.ASYNC and get_origin(hint) in {Coroutine, Awaitable}:
        hint = get_args(hint)[-1]
    if definition.kind.yields or _fits(hint, result_type):
        return ""
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def _fits(hint: Any, wanted: Any) -> bool:
    """Whether a type may be used where another is wanted; True if that cannot be known."""
    if hint == wanted:
        return True
    origins = get_origin(hint), get_origin(wanted)
    if origins[0] is Annotated or origins[1] is Annotated:
        return _fits(_bare(hint), _bare(wanted))
    if origins[0] in _UNIONS:
        return all(_fits(each, wanted) for each in get_args(hint))
    if origins[0] is Literal:
        return origins[1] is Literal or all(_fits(type(each), wanted) for each in get_args(hint))
    if origins[1] in _UNIONS:
        return any(_fits(hint, each) for each in get_args(wanted))
    return _classes_fit(_class_of(hint), _class_of(wanted)) and _items_fit(hint, wanted)


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _class_of(hint: Any) -> type | None:
    """The class that values have; None for another hint, such as a type variable or a typed dict."""
    kind = NoneType if hint is None else get_origin(hint) or getattr(hint, "__supertype__", hint)
    plain = isinstance(kind, type) and not getattr(kind, "_is_protocol", False) and not hasattr(kind, "__total__")
    return kind if plain and kind is not Any else None


def _classes_fit(kind: type | None, wanted: type | None) -> bool:
    if kind is None or wanted is None:
        return True
    try:
        return issubclass(kind, (wanted, *_WIDER.get(wanted, ())))
    except TypeError:  # a class that does not support issubclass
        return True


def _items_fit(hint: Any, wanted: Any) -> bool:
    """Whether the types of items fit, as far as both are of one generic class."""
    args, wanted_args = get_args(hint), get_args(wanted)
    if get_origin(hint) is not get_origin(wanted) or len(args) != len(wanted_args):
        return True
    return all(_fits(each, other) for each, other in zip(args, wanted_args, strict=True) if _is_type(each, other))


def _is_type(*hints: Any) -> bool:
    return all(not isinstance(hint, (list, TypeVar)) and hint is not ... for hint in hints)


def refuse_contradiction(kind: type[BaseModel], base: type[BaseModel], name: str, work: Callable[..., Any]) -> None:
    """Refuse a method of a subclass of a generic class, whose return annotation contradicts the type that the class is made for.

    Raises:
        DefinitionError: The annotation contradicts it.
    """
    result_type = result_type_of(kind, base)
    return_type = contradiction(work, result_type)
    if return_type:
        declared = inspect.formatannotation(result_type)
        reason = f"{name}() returns {return_type}, and the class is a Flow[{declared}]. Change one of them."
        raise DefinitionError(f"flow class {kind.__name__!r}", reason)
