"""Arguments at the boundary: bound to parameters, checked and coerced by Pydantic, and never replaced needlessly."""

import inspect
import warnings
from collections import deque
from collections.abc import (
    Callable,
    Generator,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    Set,
    ValuesView,
)
from functools import cached_property
from types import UnionType
from typing import IO, Annotated, Any, BinaryIO, Final, TextIO, Union, get_args, get_origin

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from typing_extensions import Unpack

from ...errors import ParameterError
from .callables import VARIADIC, Definition, define

__all__ = ["ArgumentValidator"]

_MAPPING: Any = Mapping
_SET: Any = Set
_SEQUENCE: Any = (Sequence, deque)
_TEXT: Any = (str, bytes, bytearray)
_UNIONS: Any = (Union, UnionType)
_LAZY: Final = frozenset({Iterable, Iterator, Generator, Any, object})
"""Annotations that an iterable fits whose items nobody has made yet."""
_HELD: Any = (list, tuple, set, frozenset, dict, deque, KeysView, ValuesView, ItemsView, *_TEXT)
"""Iterables whose items are all there, so that looking at them changes nothing."""
_UNCHECKED: Final[tuple[Any, ...]] = (Any, object, IO, TextIO, BinaryIO, Unpack)


class ArgumentValidator:
    """The parameters of one function, as its callers meet them."""

    def __init__(self, definition: Definition, injectable: Set[str]) -> None:
        self._definition = definition
        self._signature = definition.signature
        self._injectable = injectable
        simple = all(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in definition.parameters)
        self._simple = len(definition.parameters) if simple else -1
        """How many positional arguments fill all parameters, if that is all there is to it."""
        self._required = tuple(parameter.name for parameter in definition.named if parameter.default is parameter.empty)

    def bind(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], provided: Set[str] | None = frozenset()
    ) -> inspect.BoundArguments:
        """Give each argument to its parameter.

        Args:
            args: The positional arguments.
            kwargs: The keyword arguments.
            provided: The names that something else will fill in; None if nobody knows yet.

        Raises:
            TypeError: An argument is missing that nobody injects, or one is unexpected.
        """
        if len(args) == self._simple and not kwargs:
            names = self._signature.parameters
            return inspect.BoundArguments(self._signature, dict(zip(names, args, strict=True)))  # pyright: ignore[reportArgumentType] # annotated as an OrderedDict
        name = self._definition.name
        try:
            bound = self._signature.bind_partial(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}() {error}") from None
        filled = bound.arguments.keys() | self._injectable | (provided or frozenset())
        missing = next((parameter for parameter in self._required if parameter not in filled), None)
        if missing is not None and provided is not None:
            raise TypeError(f"{name}() missing a required argument: {missing!r}")
        return bound

    def check(self, bound: inspect.BoundArguments, function: str) -> bool:
        """Replace what has to be coerced, in place; tell whether anything was. `function` is its name in errors.

        Raises:
            ParameterError: A value does not fit its parameter.
        """
        coerced = False
        for name, checker in self._checkers.items():
            if name in bound.arguments:
                value = bound.arguments[name]
                checked = checker.check(value, function)
                if checked is not value:
                    bound.arguments[name] = checked
                    coerced = True
        return coerced

    def inputs(self, bound: inspect.BoundArguments, *, without: Set[str]) -> dict[str, Any]:
        """What a record shows: the arguments by name with defaults, but neither `self` nor what is injected."""
        shown = {
            parameter.name: bound.arguments.get(parameter.name, parameter.default)
            for parameter in self._definition.parameters
            if parameter.name in bound.arguments
            or (parameter.default is not parameter.empty and parameter.name not in without)
        }
        if self._definition.binds_self:
            shown.pop(self._definition.parameters[0].name, None)
        return shown

    @cached_property
    def _checkers(self) -> Mapping[str, "_Checker"]:
        """Built at the first call, when the names that annotations mention are all defined."""
        definition = self._definition
        known = {parameter.name for parameter in definition.parameters if parameter.annotation is not parameter.empty}
        hints = definition.hints
        if not known <= hints.keys():
            hints = define(definition.target, "").hints
        checkers = {
            parameter.name: _checker(parameter, hints[parameter.name])
            for parameter in definition.parameters
            if parameter.name in hints
        }
        return {name: checker for name, checker in checkers.items() if checker is not None}


class _Checker:
    """Checks the values of one parameter."""

    def __init__(self, parameter: inspect.Parameter, hint: Any, adapter: TypeAdapter[Any]) -> None:
        self._parameter = parameter.name
        self._hint = hint
        self._named = parameter.kind is parameter.VAR_KEYWORD
        self._adapter = adapter
        self._takes_streams = _takes_streams(hint)

    def check(self, value: Any, function: str) -> Any:
        """The value itself if it is valid as it is, else what it is coerced to."""
        if self._takes_streams and _is_stream(value):
            return value
        try:
            checked = self._adapter.validate_python(value)
            if _is_lazy(checked) and not _is_stream(value):
                items = list(checked)
                return value if _match(list(value), items, _alike) else items
        except ValidationError as error:
            raise self._rejection(function, value, error) from None
        if _same(value, checked) or (_alike(value, checked) and _fits(value, self._hint)):
            return value
        return checked

    def _rejection(self, function: str, value: object, error: ValidationError) -> ParameterError:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        reason = f"{problem['msg']} (at {place})" if place else problem["msg"]
        return ParameterError(function, self._parameter, type(value).__qualname__, reason)


class _ItemsChecker(_Checker):
    """Checks what `*args` or `**kwargs` collects, item by item."""

    def check(self, value: Any, function: str) -> Any:
        """The collection itself if all items are valid as they are."""
        check = super().check
        if self._named:
            checked = {name: check(item, function) for name, item in value.items()}
            return value if all(checked[name] is item for name, item in value.items()) else checked
        listed = tuple(check(item, function) for item in value)
        return value if all(new is old for new, old in zip(listed, value, strict=True)) else listed


def _checker(parameter: inspect.Parameter, hint: Any) -> _Checker | None:
    if _cannot_be_checked(hint):
        return None
    adapter = _adapter(hint)
    if adapter is None:
        return None
    return (_ItemsChecker if parameter.kind in VARIADIC else _Checker)(parameter, hint, adapter)


def _cannot_be_checked(hint: Any) -> bool:
    """What says nothing, or is for type checkers alone: files, and protocols without `@runtime_checkable`."""
    kind = get_origin(hint) or hint
    if kind in _UNCHECKED:
        return True
    return getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False)


def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    """What checks values; None for what Pydantic makes nothing of, which is not checked then."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of annotations that are no types
            try:
                adapter: TypeAdapter[Any] = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
            except PydanticUserError as error:
                if error.code != "type-adapter-config-unused":
                    raise
                adapter = TypeAdapter(hint)
    except Exception:
        return None
    return adapter


def _takes_streams(hint: Any) -> bool:
    """Whether an annotation, or one choice of a union, says no more of an iterable than its items."""
    kind = get_origin(hint) or hint
    return any(map(_takes_streams, get_args(hint))) if kind in _UNIONS else kind in _LAZY


def _is_stream(value: object) -> bool:
    """Whether to look at the items of an iterable may use them up, or never end: a generator, a cursor, a response."""
    kind = type(value)
    return issubclass(kind, Iterable) and not issubclass(kind, _HELD)


def _is_lazy(checked: object) -> bool:
    """Whether Pydantic would check the items of an iterable while somebody iterates over it."""
    return type(checked).__name__ == "ValidatorIterator"


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value, with all that it contains, is of the classes that the annotation names."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _fits(value, args[0])
    if origin in _UNIONS:
        return any(_fits(value, choice) for choice in args)
    kind = origin or hint
    if isinstance(kind, type) and not isinstance(value, kind):
        return False
    if isinstance(value, _MAPPING) and len(args) == len(("key", "value")):
        return all(_fits(key, args[0]) and _fits(item, args[1]) for key, item in value.items())
    if isinstance(value, _TEXT) or not args or not isinstance(value, (*_SEQUENCE, _SET)):
        return True
    items: Any = value
    hints = list(args) if kind is tuple and args[-1] is not ... else [args[0]] * len(items)
    return all(_fits(item, wanted) for item, wanted in zip(items, hints, strict=False))


def _same(value: Any, checked: Any) -> bool:
    """Whether the check has changed nothing."""
    return value is checked or _is_lazy(checked) or (type(value) is type(checked) and _compare(value, checked, _same))


def _alike(value: Any, checked: Any) -> bool:
    """Whether the check has changed nothing but the classes of containers, or a subclass to its base."""
    return value is checked or _is_lazy(checked) or _compare(value, checked, _alike)


def _compare(value: Any, checked: Any, items_match: Callable[[Any, Any], bool]) -> bool:
    if isinstance(value, _MAPPING) and isinstance(checked, _MAPPING):
        keys, values = list(value.keys()), list(value.values())
        return _match(keys, list(checked.keys()), items_match) and _match(values, list(checked.values()), items_match)
    if isinstance(value, _SET) and isinstance(checked, _SET):
        return {(type(item), item) for item in value} == {(type(item), item) for item in checked}
    if isinstance(value, _SEQUENCE) and isinstance(checked, _SEQUENCE) and not isinstance(value, _TEXT):
        return _match(list(value), list(checked), items_match)
    try:
        return isinstance(value, type(checked)) and bool(value == checked)
    except Exception:
        return False


def _match(values: list[Any], checked: list[Any], items_match: Callable[[Any, Any], bool]) -> bool:
    return len(values) == len(checked) and all(map(items_match, values, checked))
