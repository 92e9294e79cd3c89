"""The three things that are a flow to the command line, and how each takes its parameters."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import CodeType
from typing import Any, Final, Protocol, final

from ..engine.decorators import flow
from ..engine.definitions.callables import unwrap_partial
from ..engine.definitions.injection_plan import FLOW_NAMES, is_marker
from ..engine.live import Flow
from .errors import CommandError

__all__ = ["Target", "target_of"]


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
        """The names in the signature, without what is injected."""
        parameters = inspect.signature(self._function).parameters.values()
        return [one.name for one in parameters if one.name not in FLOW_NAMES and not is_marker(one.default)]

    def build(self, values: Mapping[str, Any]) -> Flow[Any]:
        """Call it, which runs nothing."""
        return self._function(**values)


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


def _own_fields(kind: type[Flow[Any]]) -> list[str]:
    return [name for name in kind.model_fields if name not in Flow.model_fields]


def _check_names(flow_name: str, values: Iterable[str], known: list[str]) -> None:
    """Refuse what Pydantic would ignore."""
    for name in values:
        if name not in known:
            raise CommandError(f"{flow_name} has no parameter {name!r}")
