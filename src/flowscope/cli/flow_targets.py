"""The three things that are a flow to the command line, and how each takes its parameters."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import CodeType
from typing import Any, Final, Protocol, final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ..engine.decorators import flow
from ..engine.definitions.callables import unwrap_partial
from ..engine.definitions.injection_plan import FLOW_NAMES, is_marker
from ..engine.live import Flow
from .errors import CommandError

__all__ = ["Target", "target_of"]

_LIST: Final = TypeAdapter(list[Any], config=ConfigDict(strict=True))


class Target(Protocol):
    """Makes a flow of parameters."""

    @property
    def parameters(self) -> list[str]:
        """The names that can be given."""
        ...

    def build(self, values: Mapping[str, Any]) -> Flow[Any]:
        """The flow, ready to be executed.

        Raises:
            CommandError: A name is unknown.
            ParameterError: A value does not fit (a flow function).
            ValidationError: A value does not fit or is missing (a subclass of `Flow`).
            TypeError: A name is unknown, or a value missing (a flow function).
        """
        ...


def target_of(found: object) -> Target | None:
    """What was found, as a target; None if it is no flow."""
    given: Any = found
    if inspect.isclass(found):
        return FlowClass(given) if issubclass(found, Flow) else None
    if isinstance(found, Flow):
        return FlowObject(given)
    return FlowFunction(given) if _is_flow_function(found) else None


@final
class FlowFunction:
    """What `@flow` returns: its signature says what it takes."""

    def __init__(self, function: Callable[..., Flow[Any]]) -> None:
        self._function = function

    @property
    def parameters(self) -> list[str]:
        """The names in the signature, without what is injected; `**options`, which takes all others, with its stars."""
        return [
            f"**{one.name}" if one.kind is one.VAR_KEYWORD else one.name
            for one in inspect.signature(self._function).parameters.values()
            if not _is_injected(one)
        ]

    def build(self, values: Mapping[str, Any]) -> Flow[Any]:
        """Call it, which runs nothing; a positional parameter is given by its place where it has to be."""
        parameters = inspect.signature(self._function).parameters.values()
        named = dict(values)
        variadic = [one.name for one in parameters if one.kind is one.VAR_POSITIONAL and one.name in named]
        rest = [item for name in variadic for item in _items(named.pop(name))]
        by_place = [one for one in parameters if one.kind is one.POSITIONAL_ONLY or (rest and _may_be_named(one))]
        while not rest and by_place and by_place[-1].name not in named:
            by_place.pop()
        return self._function(*[self._pop_value(one, named) for one in by_place], *rest, **named)

    def _pop_value(self, parameter: inspect.Parameter, values: dict[str, Any]) -> Any:
        if parameter.name in values:
            return values.pop(parameter.name)
        if _is_injected(parameter):
            raise CommandError(f"{parameter.name!r} is injected, so that no positional parameter after it can be given")
        if parameter.default is parameter.empty:
            name: str = getattr(unwrap_partial(self._function), "__name__", "the flow")
            raise CommandError(f"{name}() missing a required argument: {parameter.name!r}")
        return parameter.default


@final
class FlowClass:
    """A subclass of `Flow`: its fields say what it takes."""

    def __init__(self, kind: type[Flow[Any]]) -> None:
        self._kind = kind

    @property
    def parameters(self) -> list[str]:
        """The fields, or their aliases; those that the subclass declares come first."""
        aliases = [field.alias for field in self._kind.model_fields.values() if field.alias is not None]
        return [*_own_fields(self._kind), *aliases, *Flow.model_fields]

    def build(self, values: Mapping[str, Any]) -> Flow[Any]:
        """Construct it."""
        if self._kind.model_config.get("extra") != "allow":
            _check_names(self._kind.__name__, values, self.parameters)
        return self._kind(**values)


@final
class FlowObject:
    """A flow that is set up already: the fields that its class declares can be assigned."""

    def __init__(self, made: Flow[Any]) -> None:
        self._made = made

    @property
    def parameters(self) -> list[str]:
        """The fields that the subclass declares."""
        return _own_fields(type(self._made))

    def build(self, values: Mapping[str, Any]) -> Flow[Any]:
        """Assign the fields."""
        _check_names(type(self._made).__name__, values, self.parameters)
        for name, value in values.items():
            setattr(self._made, name, value)
        return self._made


@flow
def _sample() -> None:
    """A flow function to know others by."""


_CODE: Final[CodeType] = getattr(_sample, "__code__")  # noqa: B009 - its type does not say that it is a function
"""What every flow function runs: the one thing that tells it from functions that must not be called to find out."""


def _is_flow_function(found: object) -> bool:
    given: Any = found
    return getattr(unwrap_partial(given), "__code__", None) is _CODE


def _is_injected(parameter: inspect.Parameter) -> bool:
    return parameter.name in FLOW_NAMES or is_marker(parameter.default)


def _may_be_named(parameter: inspect.Parameter) -> bool:
    return parameter.kind is parameter.POSITIONAL_OR_KEYWORD


def _items(value: Any) -> list[Any]:
    """What `*names` takes: the items of a JSON list, or the one text."""
    try:
        found: list[Any] = _LIST.validate_json(value) if isinstance(value, str) else _LIST.validate_python(value)
    except ValidationError:
        return [value]
    return found


def _own_fields(kind: type[Flow[Any]]) -> list[str]:
    return [name for name in kind.model_fields if name not in Flow.model_fields]


def _check_names(flow_name: str, values: Iterable[str], known: list[str]) -> None:
    """Refuse what Pydantic would ignore."""
    for name in values:
        if name not in known:
            raise CommandError(f"{flow_name} has no parameter {name!r}")
