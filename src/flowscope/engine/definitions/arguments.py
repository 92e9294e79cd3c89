"""Arguments at the boundary: bound to parameters, checked and coerced by Pydantic, and never replaced needlessly."""

import inspect
from collections.abc import Mapping, Set
from typing import Annotated, Any, Final

from pydantic import ValidationError

from ...errors import DefinitionError, ParameterError
from .argument_validator import Validate, argument_validator
from .callables import VARIADIC, Definition
from .checkable_types import is_unpacked, unpacked
from .field_defaults import FieldInfo, aliases_of
from .sameness import alike, fits, same

__all__ = ["ArgumentValidator"]


class ArgumentValidator:
    """Binds and checks the arguments of one function."""

    def __init__(self, definition: Definition, injectable: Set[str]) -> None:
        self._definition = definition
        self._signature = definition.signature
        self._injectable = injectable
        simple = all(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in definition.parameters)
        self._simple = len(definition.parameters) if simple else -1
        """The number of positional arguments that fill all parameters; -1 for other signatures."""
        self._checkers: dict[str, _Checker | None] = {}
        self._fields = fields = definition.fields
        self._names: dict[str, str] = {}
        """The names of parameters by their aliases."""
        for name, field in fields.items():
            self._names |= dict.fromkeys(aliases_of(name, field, definition.name), name)
        last = definition.parameters[-1] if definition.parameters else None
        collects = last is not None and last.kind is last.VAR_KEYWORD and is_unpacked(definition.hints.get(last.name))
        self._collected = last.name if collects and last is not None else None
        """The parameter that collects keywords as a typed dict, of which some may be required."""
        self._required = definition.required
        self._defaults = tuple(
            (each.name, each.default)
            for each in definition.named
            if each.default is not each.empty and each.name not in fields
        )
        names = tuple(each.name for each in definition.parameters)
        self._recorded = names[1:] if definition.binds_self else names
        """The parameters that a record shows: all but `self`."""

    def bind(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], provided: Set[str] | None = frozenset()
    ) -> inspect.BoundArguments:
        """Bind each argument to its parameter.

        Args:
            args: The positional arguments.
            kwargs: The keyword arguments.
            provided: The names that `provide()` fills; None if they are not known yet.

        Raises:
            TypeError: An argument that is not injected is missing, or an argument is unexpected.
        """
        if len(args) == self._simple and not kwargs:
            names = self._signature.parameters
            return inspect.BoundArguments(self._signature, dict(zip(names, args, strict=True)))  # pyright: ignore[reportArgumentType] # annotated as an OrderedDict
        name = self._definition.name
        kwargs = self.by_name(kwargs) if self._names else kwargs
        try:
            bound = self._signature.bind_partial(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}() {error}") from None
        filled = bound.arguments.keys() | self._injectable | (provided or frozenset())
        missing = next((parameter for parameter in self._required if parameter not in filled), None)
        if missing is not None and provided is not None:
            raise TypeError(f"{name}() missing a required argument: {missing!r}")
        return bound

    def by_name(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments with the names of their parameters in the place of aliases.

        Raises:
            TypeError: A parameter is given by two names.
        """
        renamed = {self._names.get(name, name): value for name, value in kwargs.items()}
        if len(renamed) < len(kwargs):
            twice = next(name for name in kwargs if self._names.get(name, name) in kwargs.keys() - {name})
            raise TypeError(f"{self._definition.name}() got {twice!r} and another name of the same parameter")
        return renamed

    def check_default(self, function: str, name: str, value: Any) -> Any:
        """The default of a field, checked if the field has `validate_default`.

        Raises:
            ParameterError: The default does not fit its parameter.
        """
        checker = self._checker_of(name, function) if self._fields[name].validate_default else None
        return value if checker is None else checker.check(value, function)

    def try_coerce(self, bound: inspect.BoundArguments, function: str) -> bool:
        """Replace coerced arguments in place; return whether one was replaced. `function` is its name in errors.

        Raises:
            ParameterError: A value does not fit its parameter.
            DefinitionError: An annotation cannot be checked.
        """
        coerced = False
        if self._collected is not None:
            bound.arguments.setdefault(self._collected, {})
        owner = next(iter(bound.arguments.values()), None) if self._definition.binds_self else None
        for name, value in tuple(bound.arguments.items()):
            checker = self._checker_of(name, function, owner)
            checked = value if checker is None else checker.check(value, function)
            if checked is not value:
                bound.arguments[name] = checked
                coerced = True
        return coerced

    def inputs(
        self, bound: inspect.BoundArguments, defaults: Mapping[str, Any], *, without: Set[str]
    ) -> dict[str, Any]:
        """The inputs in a record: the arguments by name with defaults, without `self` and injected values.

        Args:
            bound: The arguments.
            defaults: Those of fields.
            without: The parameters that are injected.
        """
        inputs = {name: default for name, default in self._defaults if name not in without}
        inputs |= {**defaults, **bound.arguments}
        return {name: inputs[name] for name in self._recorded if name in inputs}

    def _checker_of(self, name: str, function: str, owner: object = None) -> "_Checker | None":
        """The checker of a parameter; made at the first argument, when all names in annotations are defined."""
        try:
            return self._checkers[name]
        except KeyError:
            parameter = self._signature.parameters[name]
            checker = self._checkers[name] = _checker(self._definition, parameter, function, owner)
            return checker


class _Checker:
    """Checks the values of one parameter."""

    def __init__(self, parameter: str, hint: Any, validate: Validate) -> None:
        self._parameter = parameter
        self._hint = hint
        self._validate = validate

    def check(self, value: Any, function: str) -> Any:
        """The value itself if it is valid as it is, else its coerced form."""
        try:
            checked, replaced = self._validate(value)
        except ValidationError as error:
            raise self._rejection(function, value, error) from None
        if replaced:
            return checked
        return value if same(value, checked) or (alike(value, checked) and fits(value, self._hint)) else checked

    def _rejection(self, function: str, value: object, error: ValidationError) -> ParameterError:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        reason = f"{problem['msg']} (at {place})" if place else problem["msg"]
        return ParameterError(function, self._parameter, type(value).__qualname__, reason)


class _PositionalChecker(_Checker):
    """Checks the items of `*args`."""

    def check(self, value: Any, function: str) -> Any:
        """The collection itself if all items are valid as they are."""
        check = super().check
        listed = tuple(check(item, function) for item in value)
        return value if all(new is old for new, old in zip(listed, value, strict=True)) else listed


class _KeywordChecker(_Checker):
    """Checks the items of `**kwargs`."""

    def check(self, value: Any, function: str) -> Any:
        """The collection itself if all items are valid as they are."""
        check = super().check
        checked = {name: check(item, function) for name, item in value.items()}
        return value if all(checked[name] is item for name, item in value.items()) else checked


_CHECKERS: Final[Mapping[Any, type[_Checker]]] = {
    inspect.Parameter.VAR_POSITIONAL: _PositionalChecker,
    inspect.Parameter.VAR_KEYWORD: _KeywordChecker,
}


def _checker(definition: Definition, parameter: inspect.Parameter, function: str, owner: object) -> _Checker | None:
    """The checker of a parameter; None for a parameter without a checkable annotation."""
    name = parameter.name
    field = parameter.default if isinstance(parameter.default, FieldInfo) else None
    if parameter.annotation is parameter.empty and field is None:
        return None
    try:
        hint = Any if parameter.annotation is parameter.empty else definition.annotations.resolve(name, owner)
        whole = parameter.kind in VARIADIC and is_unpacked(hint)
        if whole:
            hint = unpacked(hint)
        validate = argument_validator(
            hint if field is None else Annotated[hint, field], definition.annotations.namespace(owner)
        )
    except Exception as error:
        annotation = inspect.formatannotation(parameter.annotation)
        reason = f"parameter {name!r} is annotated {annotation}, which cannot be checked: {_problem(error)}"
        raise DefinitionError(f"{function}()", reason) from None
    if validate is None:
        return None
    kind = _Checker if whole else _CHECKERS.get(parameter.kind, _Checker)
    return kind(name, hint, validate)


def _problem(error: Exception) -> str:
    otherwise = "annotate the parameter as Any, or decorate with validate=False."
    if isinstance(error, NameError):
        return f"{error}. Import or define it where the code runs, and not for type checkers alone; else {otherwise}"
    message = str(error).partition("\n")[0].rstrip(".")
    return f"{message or type(error).__name__}. Correct the annotation, or {otherwise}"
