"""Annotations as Pydantic can check them: without what is for type checkers alone, and with typed dicts that it takes."""

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
"""Annotations that say nothing of the class that a value has."""
_SILENT_KINDS: Any = (ParamSpecArgs, ParamSpecKwargs, TypeVarTuple, typing_extensions.TypeVarTuple)
_UNIONS: Final[frozenset[Any]] = frozenset({Union, type(int | str)})
_NEVER_TYPES: Any = (BuiltinFunctionType, FunctionType, ModuleType)
_VALUES: Any = (int, float, complex, str, bytes, list, tuple, dict, set)
_WHOLE: Final[frozenset[Any]] = frozenset({Literal, typing_extensions.Literal, typing.get_origin(Callable[[], Any])})
"""Annotations without types inside that values are checked against."""


class _Sample(typing.TypedDict):
    """A typed dict to know others by."""


_TYPED_DICT: Any = type(_Sample)
"""The class of the typed dicts of the standard library, which Pydantic refuses before Python 3.12."""


def is_unpacked(hint: Any) -> bool:
    """Whether it is the annotation of `*args` or `**kwargs` as a whole."""
    return get_origin(hint) in {Unpack, typing.Unpack} or getattr(hint, "__unpacked__", False) is True


def unpacked(hint: Any) -> Any:
    """What is inside of `Unpack[...]` or `*`."""
    if get_origin(hint) in {Unpack, typing.Unpack}:
        return get_args(hint)[0]
    return get_origin(hint)[get_args(hint)]


def checkable(hint: Any, namespace: Mapping[str, Any]) -> Any:
    """An annotation in which protocols without `@runtime_checkable`, files, `Self` and the like are `Any`.

    Args:
        hint: The annotation, resolved.
        namespace: Names that local typed dicts may mention in their own annotations.

    Raises:
        TypeError: It, or a part of it, is a function, a module or another value.
    """
    if isinstance(hint, _VALUES):
        raise TypeError("it is no type")
    return _Checkable(namespace).of(hint)


class _Checkable:
    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._made: dict[Any, Any] = {}
        """Typed dicts, and aliases, that have been replaced or are being looked at: they may be recursive."""

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
        made = tuple(map(self.of, args))
        if all(new is old for new, old in zip(made, args, strict=True)):
            return hint
        if kind in _UNIONS:
            return Union[made]  # noqa: UP007 - its choices are known at run time only
        return hint.copy_with(made) if hasattr(hint, "copy_with") else kind[made]

    def _alias(self, alias: Any) -> Any:
        if alias in self._made:
            return alias
        self._made[alias] = alias
        value = self.of(alias.__value__)
        return alias if value is alias.__value__ else value

    def _typed_dict(self, hint: Any, kind: Any) -> Any:
        """The same typed dict, as `typing_extensions` would make it."""
        if hint in self._made:
            return self._made[hint]
        make: Any = TypedDict
        made = self._made[hint] = make(kind.__name__, {}, total=kind.__total__)
        given = dict(zip(getattr(kind, "__parameters__", ()), get_args(hint), strict=False))
        fields = get_type_hints(kind, localns={**self._namespace}, include_extras=True)
        made.__annotations__ = {name: self.of(_substituted(field, given)) for name, field in fields.items()}
        for name in ("__required_keys__", "__optional_keys__", "__module__", "__qualname__", "__doc__"):
            setattr(made, name, getattr(kind, name))
        if hasattr(kind, "__pydantic_config__"):
            made.__pydantic_config__ = kind.__pydantic_config__
        return made


def _is_silent(kind: Any) -> bool:
    if isinstance(kind, _SILENT_KINDS):
        return True
    try:
        return kind in _SILENT or (
            getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False)
        )
    except TypeError:  # what cannot be hashed, and is no type
        return False


def _substituted(hint: Any, given: Mapping[Any, Any]) -> Any:
    if hint in given:
        return given[hint]
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(given.get(each, each) for each in parameters)] if given and parameters else hint
