"""Annotations in the form that Pydantic can check: without parts for type checkers alone, and with its own typed dicts."""

import sys
import typing
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import (
    IO,
    Annotated,
    Any,
    BinaryIO,
    Final,
    Literal,
    LiteralString,
    Never,
    NoReturn,
    ParamSpecArgs,
    ParamSpecKwargs,
    Self,
    TextIO,
    TypeVarTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import typing_extensions
from typing_extensions import TypeAliasType, TypedDict, Unpack

__all__ = ["checkable", "is_unpacked", "unpacked"]

_SILENT: Final[frozenset[Any]] = frozenset({IO, TextIO, BinaryIO, Self, typing_extensions.Self, Never, NoReturn})
"""Annotations without a class to check."""
_SILENT_KINDS: Any = (ParamSpecArgs, ParamSpecKwargs, TypeVarTuple, typing_extensions.TypeVarTuple)
_UNIONS: Final[frozenset[Any]] = frozenset({Union, type(int | str)})
_NEVER_TYPES: Any = (BuiltinFunctionType, FunctionType, ModuleType)
_VALUES: Any = (int, float, complex, str, bytes, list, tuple, dict, set)
_WHOLE: Final[frozenset[Any]] = frozenset({Literal, typing_extensions.Literal, typing.get_origin(Callable[[], Any])})
"""Annotations whose arguments are not checked as types."""


class _Sample(typing.TypedDict):
    """A typed dict, for its class."""


_TYPED_DICT: Any = type(_Sample)
"""The class of the typed dicts of the standard library, which Pydantic refuses before Python 3.12."""


def is_unpacked(hint: Any) -> bool:
    """Whether it is the annotation of `*args` or `**kwargs` as a whole."""
    return get_origin(hint) in {Unpack, typing.Unpack} or getattr(hint, "__unpacked__", False) is True


def unpacked(hint: Any) -> Any:
    """The argument of `Unpack[...]` or `*`."""
    if get_origin(hint) in {Unpack, typing.Unpack}:
        return get_args(hint)[0]
    return get_origin(hint)[get_args(hint)]


def checkable(hint: Any, namespace: Mapping[str, Any]) -> Any:
    """An annotation in which protocols without `@runtime_checkable`, files, `Self` and the like are `Any`.

    Args:
        hint: The annotation, resolved.
        namespace: Names that local typed dicts may mention in their own annotations.

    Raises:
        TypeError: The annotation, or a part of it, is a function, a module or another value.
    """
    if isinstance(hint, _VALUES):
        raise TypeError("it is no type")
    return _Checkable(namespace).of(hint)


class _Checkable:
    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._replacements: dict[Any, Any] = {}
        """Replaced typed dicts and visited aliases: they may be recursive."""

    def of(self, hint: Any) -> Any:
        """The annotation, with all that it contains."""
        kind = get_origin(hint) or hint
        if isinstance(kind, _NEVER_TYPES):
            raise TypeError(f"{kind.__name__} is no type")
        if _is_silent(kind):
            return Any
        if isinstance(kind, _TYPED_DICT) and sys.version_info < (3, 12):
            return self._typed_dict(hint, kind)
        if isinstance(hint, TypeAliasType):
            return self._alias(hint)
        return str if kind is LiteralString else self._generic(hint, kind)

    def _generic(self, hint: Any, kind: Any) -> Any:
        args: tuple[Any, ...] = () if kind in _WHOLE else get_args(hint)
        if kind is Annotated:
            inside = self.of(args[0])
            return hint if inside is args[0] else Annotated[(inside, *hint.__metadata__)]
        checked_args = tuple(map(self.of, args))
        if all(new is old for new, old in zip(checked_args, args, strict=True)):
            return hint
        if kind in _UNIONS:
            return Union[checked_args]  # noqa: UP007 - its choices are known at run time only
        return hint.copy_with(checked_args) if hasattr(hint, "copy_with") else kind[checked_args]

    def _alias(self, alias: Any) -> Any:
        if alias in self._replacements:
            return alias
        self._replacements[alias] = alias
        value = self.of(alias.__value__)
        return alias if value is alias.__value__ else value

    def _typed_dict(self, hint: Any, kind: Any) -> Any:
        """The same typed dict, as `typing_extensions` would make it."""
        if hint in self._replacements:
            return self._replacements[hint]
        make: Any = TypedDict
        replacement = self._replacements[hint] = make(kind.__name__, {}, total=kind.__total__)
        type_args = dict(zip(getattr(kind, "__parameters__", ()), get_args(hint), strict=False))
        fields = get_type_hints(kind, localns={**self._namespace}, include_extras=True)
        replacement.__annotations__ = {name: self.of(_substituted(field, type_args)) for name, field in fields.items()}
        for name in ("__required_keys__", "__optional_keys__", "__module__", "__qualname__", "__doc__"):
            setattr(replacement, name, getattr(kind, name))
        if hasattr(kind, "__pydantic_config__"):
            replacement.__pydantic_config__ = kind.__pydantic_config__
        return replacement


def _is_silent(kind: Any) -> bool:
    if isinstance(kind, _SILENT_KINDS):
        return True
    try:
        return kind in _SILENT or (
            getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False)
        )
    except TypeError:  # an unhashable object, which is no type
        return False


def _substituted(hint: Any, type_args: Mapping[Any, Any]) -> Any:
    if hint in type_args:
        return type_args[hint]
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(type_args.get(each, each) for each in parameters)] if type_args and parameters else hint
