"""Arguments at the boundary: bound to parameters, checked and coerced by Pydantic, and never replaced needlessly."""

import inspect
from collections import deque
from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from typing import Any, Final, get_origin

from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from typing_extensions import Unpack

from ..errors import ParameterError
from .definition import Definition, define

__all__ = ["Boundary"]

_MAPPING: Any = Mapping
_SET: Any = Set
_SEQUENCE: Any = (Sequence, deque)
_TEXT: Any = (str, bytes, bytearray)
_NO_CONSTRAINT: Final = (Any, object, inspect.Parameter.empty)


class Boundary:
    """The parameters of one function, as its callers meet them."""

    def __init__(self, definition: Definition, injectable: Set[str]) -> None:
        self._definition = definition
        self._signature = definition.signature
        self._injectable = injectable
        simple = all(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in definition.parameters)
        self._simple = len(definition.parameters) if simple else -1
        """How many positional arguments fill all parameters, if that is all there is to it."""
        self._required = tuple(
            parameter.name
            for parameter in definition.parameters
            if parameter.default is parameter.empty
            and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        )

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

    def check(self, bound: inspect.BoundArguments) -> bool:
        """Replace what has to be coerced, in place; tell whether anything was.

        Raises:
            ParameterError: A value does not fit its parameter.
        """
        coerced = False
        for name, checker in self._checkers.items():
            if name in bound.arguments:
                value = bound.arguments[name]
                checked = checker.check(value)
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
            parameter.name: _checker(definition.name, parameter, hints[parameter.name])
            for parameter in definition.parameters
            if parameter.name in hints
        }
        return {name: checker for name, checker in checkers.items() if checker is not None}


class _Checker:
    """Checks the values of one parameter."""

    def __init__(self, function: str, parameter: inspect.Parameter, adapter: TypeAdapter[Any]) -> None:
        self._function = function
        self._parameter = parameter.name
        self._named = parameter.kind is parameter.VAR_KEYWORD
        self._adapter = adapter

    def check(self, value: Any) -> Any:
        try:
            checked = self._adapter.validate_python(value)
            return _settled(value, checked)
        except ValidationError as error:
            raise self._rejection(value, error) from None

    def _rejection(self, value: object, error: ValidationError) -> ParameterError:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        reason = f"{problem['msg']} (at {place})" if place else problem["msg"]
        return ParameterError(self._function, self._parameter, type(value).__qualname__, reason)


class _ItemsChecker(_Checker):
    """Checks what `*args` or `**kwargs` collects, item by item."""

    def check(self, value: Any) -> Any:
        check = super().check
        if self._named:
            checked = {name: check(item) for name, item in value.items()}
            return value if all(checked[name] is item for name, item in value.items()) else checked
        listed = tuple(check(item) for item in value)
        return value if all(new is old for new, old in zip(listed, value, strict=True)) else listed


def _checker(function: str, parameter: inspect.Parameter, hint: Any) -> _Checker | None:
    if hint in _NO_CONSTRAINT or get_origin(hint) is Unpack or _cannot_be_checked(hint):
        return None
    adapter = _adapter(hint)
    if adapter is None:
        return None
    collects = parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    return (_ItemsChecker if collects else _Checker)(function, parameter, adapter)


def _cannot_be_checked(hint: Any) -> bool:
    """A protocol without `@runtime_checkable` is for type checkers alone."""
    kind = get_origin(hint) or hint
    return getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False)


def _adapter(hint: Any) -> TypeAdapter[Any] | None:
    try:
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
        except PydanticUserError as error:
            if error.code != "type-adapter-config-unused":
                raise
            adapter = TypeAdapter(hint)
    except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError):
        return None
    return adapter


def _settled(value: Any, checked: Any) -> Any:
    """The value itself if the check changed nothing, else the checked one."""
    if type(checked).__name__ == "ValidatorIterator":
        if hasattr(value, "__next__"):
            return value
        items: list[Any] = list(checked)
        return value if _same_items(list(value), items) else items
    return value if _same(value, checked) else checked


def _same(value: Any, checked: Any) -> bool:
    if value is checked:
        return True
    if type(checked) is not type(value):
        return False
    if isinstance(value, _MAPPING):
        keys, values = list(value.keys()), list(value.values())
        return _same_items(keys, list(checked.keys())) and _same_items(values, list(checked.values()))
    if isinstance(value, _SET):
        return {(type(item), item) for item in value} == {(type(item), item) for item in checked}
    if isinstance(value, _SEQUENCE) and not isinstance(value, _TEXT):
        return _same_items(list(value), list(checked))
    return _equal(value, checked)


def _equal(value: Any, checked: Any) -> bool:
    try:
        return bool(value == checked)
    except Exception:
        return False


def _same_items(values: list[Any], checked: list[Any]) -> bool:
    return len(values) == len(checked) and all(map(_same, values, checked))
