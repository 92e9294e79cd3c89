"""Dependency injection: the source of each parameter, planned once per function.

A parameter that the caller leaves out is filled, in this order, by the values of `provide()` or
`task_dependencies()`, by its `Inject` marker, by its name (`this_flow`, …) or by its type (`Flow`, `Task`).
"""

import inspect
import sys
import types
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeVar, Union, final, get_args, get_origin, overload

from pydantic.fields import FieldInfo

from ...errors import InjectionError
from .callables import Definition, define
from .field_defaults import default_of

__all__ = [
    "FLOW_NAMES",
    "INJECTED",
    "TASK_NAMES",
    "Inject",
    "Injection",
    "Plan",
    "Provider",
    "Resolver",
    "is_marker",
    "plan_injection",
]

T = TypeVar("T")
Lifetime = Literal["call", "flow"]

FLOW_NAMES: Final = frozenset({"this_flow", "flow_data"})
TASK_NAMES: Final = FLOW_NAMES | {"this_task", "task_data"}


@final
class _Injected:
    """The type of `INJECTED`."""

    def __repr__(self) -> str:
        return "INJECTED"

    def __reduce__(self) -> str:
        return "INJECTED"


INJECTED: Any = _Injected()
"""A default that says "injected", of every type: `def step(x: int, flow_data: dict[str, Any] = INJECTED) -> int`."""


class Resolver(Protocol):
    """The call that parameters are injected into."""

    @property
    def provided(self) -> Mapping[str, Any]:
        """The values that the flow provides, by name."""
        ...

    @property
    def loop(self) -> object:
        """The event loop that lasts as long as the flow; None without one."""
        ...

    def named(self, name: str) -> object:
        """The value of a built-in name: `this_flow`, `flow_data`, `this_task` or `task_data`."""
        ...

    def report(self, message: str, error: BaseException) -> None:
        """Log an error that does not end the call."""
        ...


class Provider:
    """The default of a parameter that `Inject(provider)` makes."""

    __slots__ = ("definition", "function", "plan", "shared")

    plan: "Plan"
    """The injection of the provider's own parameters; set where a function that uses it is planned."""

    def __init__(self, function: Callable[..., Any], *, shared: bool) -> None:
        self.function: Callable[..., Any] = function
        self.shared: bool = shared
        self.definition: Definition = define(function, "provider")

    def __repr__(self) -> str:
        return f"Inject({self.definition.name})"


@overload
def Inject(provider: Callable[..., AsyncGenerator[T, Any]], /, *, scope: Lifetime = "call") -> T: ...
@overload
def Inject(provider: Callable[..., Generator[T, Any, Any]], /, *, scope: Lifetime = "call") -> T: ...
@overload
def Inject(provider: Callable[..., AsyncIterator[T]], /, *, scope: Lifetime = "call") -> T: ...
@overload
def Inject(provider: Callable[..., Iterator[T]], /, *, scope: Lifetime = "call") -> T: ...
@overload
def Inject(provider: Callable[..., Coroutine[Any, Any, T]], /, *, scope: Lifetime = "call") -> T: ...
@overload
def Inject(provider: Callable[..., T], /, *, scope: Lifetime = "call") -> T: ...
def Inject(provider: Callable[..., Any], /, *, scope: Lifetime = "call") -> Any:  # noqa: N802 - a marker in the place of a value
    """A default that a provider makes for each call, or once for the whole run.

    Args:
        provider: A sync or async function, or a generator of either kind that yields the value once; the code after its
            `yield` runs when the call, or the flow, has ended, the last opened first, with the exception of a failed
            call raised at the `yield`. Its own parameters are injected likewise.
        scope: "call" makes a value for each attempt of a call, "flow" one for the whole run.

    Raises:
        DefinitionError: `provider` is not callable.
        InjectionError: `scope` is neither "call" nor "flow".
    """
    if scope not in {"call", "flow"}:
        raise InjectionError("Inject", "scope", f"wanted 'call' or 'flow', found {scope!r}.")
    return Provider(provider, shared=scope == "flow")


class Injection(NamedTuple):
    """One parameter that is filled when the caller leaves it out."""

    parameter: str
    provider: Provider | None
    name: str | None
    """The built-in name that fills it."""
    wanted_type: type | None
    optional: bool
    """Whether the parameter has a default of its own to fall back on."""


class Plan:
    """The injections of one function."""

    __slots__ = (
        "_binds_self",
        "_defaults",
        "_injections",
        "_positional_only",
        "_positions",
        "_settle",
        "check_default",
        "fields",
        "function",
        "names",
        "parameters",
        "providers",
        "unsettled",
    )

    def __init__(
        self,
        definition: Definition,
        injections: tuple[Injection, ...],
        unsettled: tuple[str, ...],
        settle: "Callable[[str, object], Injection | None]",
    ) -> None:
        self.function: str = definition.name
        self.parameters: frozenset[str] = frozenset(injection.parameter for injection in injections)
        """The parameters that this plan fills."""
        self.providers: tuple[tuple[str, Provider], ...] = tuple(
            (injection.parameter, injection.provider) for injection in injections if injection.provider is not None
        )
        self.fields: Mapping[str, FieldInfo] = definition.fields
        """The Pydantic fields that are defaults, by parameter."""
        self.check_default: Callable[[str, Any], Any] = _unchecked
        """Checks the default of a field."""
        self._injections = tuple(injection for injection in injections if injection.provider is None)
        self.unsettled: tuple[str, ...] = unsettled
        """Parameters whose annotations have undefined names, and whose types may be injected."""
        self._settle = settle
        self._binds_self = definition.binds_self
        fillable = definition.named
        self._positions = {
            parameter.name: sys.maxsize if parameter.kind is parameter.KEYWORD_ONLY else position
            for position, parameter in enumerate(fillable)
        }
        self._positional_only = [
            parameter.name for parameter in fillable if parameter.kind is parameter.POSITIONAL_ONLY
        ]
        self._defaults = {parameter.name: parameter.default for parameter in fillable}
        self.names: frozenset[str] = frozenset(
            parameter.name for parameter in fillable if _is_open(definition, parameter)
        )
        """The parameters that `provide()` may fill."""

    @property
    def is_needed(self) -> bool:
        """Whether a call without provided values needs the plan."""
        return bool(self.parameters or self.fields or self.unsettled)

    def absent(self, parameter: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether the caller left this parameter out."""
        return parameter not in kwargs and self._positions[parameter] >= len(args)

    def values(self, resolver: Resolver, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The injected values that need no provider, by parameter.

        Raises:
            InjectionError: A marked parameter has no source, or its annotation names another class of `Flow`.
        """
        if self.unsettled:
            self._settle_all(args[0] if args and self._binds_self else None)
        provided = resolver.provided
        values = {name: provided[name] for name in self.names & provided.keys() if self.absent(name, args, kwargs)}
        for injection in self._injections:
            parameter = injection.parameter
            if parameter not in values and self.absent(parameter, args, kwargs):
                self._fill_one(injection, resolver, values)
        if self.fields:
            known = {**dict(zip(self._positions, args, strict=False)), **kwargs, **values}
            values |= self.field_values(known)
        return values

    def _settle_all(self, owner: object) -> None:
        """Plan the parameters whose annotations are resolved at the first call."""
        settled = [injection for name in self.unsettled if (injection := self._settle(name, owner)) is not None]
        names = {injection.parameter for injection in settled}
        self._injections = (*(each for each in self._injections if each.parameter not in names), *settled)
        self.unsettled = ()

    def field_values(self, known: Mapping[str, Any], *, complete: bool = True) -> dict[str, Any]:
        """The defaults of the fields without an argument, by parameter.

        Args:
            known: The arguments and injected values.
            complete: Whether a missing required argument is an error.

        Raises:
            TypeError: A required argument is missing.
        """
        values: dict[str, Any] = {}
        for name, field in self.fields.items():
            if name not in known and not field.is_required():
                values[name] = self.check_default(name, default_of(field, {**known, **values}))
            elif name not in known and complete:
                raise TypeError(f"{self.function}() missing a required argument: {name!r}")
        return values

    def _fill_one(self, injection: Injection, resolver: Resolver, values: dict[str, Any]) -> None:
        if injection.name is None:
            raise InjectionError(
                self.function,
                injection.parameter,
                "nobody provides it. Call flow.provide(name=value) before the run, or make it with Inject(provider).",
            )
        value = resolver.named(injection.name)
        if injection.wanted_type is None or isinstance(value, injection.wanted_type):
            values[injection.parameter] = value
        elif not injection.optional:
            found, wanted = type(value).__name__, injection.wanted_type.__name__
            raise InjectionError(self.function, injection.parameter, f"wanted {wanted}, found {found}.")

    def merged(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], values: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments and the injected values as a call takes them.

        Raises:
            TypeError: One is missing that has a place before an injected one.
        """
        if not values:
            return args, kwargs
        behind = [name for name in self._positional_only[len(args) :] if name in values]
        if behind:
            last = self._positional_only.index(behind[-1]) + 1
            added = self._positional_only[len(args) : last]
            args = (*args, *(values.pop(name) if name in values else self._default_of(name) for name in added))
        return args, {**kwargs, **values}

    def _default_of(self, parameter: str) -> Any:
        default = self._defaults[parameter]
        if default is inspect.Parameter.empty:
            raise TypeError(f"{self.function}() missing a required argument: {parameter!r}")
        return default


def _unchecked(_: str, value: Any) -> Any:
    return value


def plan_injection(definition: Definition, names: frozenset[str], live_types: Mapping[str, type]) -> Plan:
    """Plan the injections of a function.

    Args:
        definition: The function.
        names: The built-in names that exist where it runs.
        live_types: Built-in name to the class that also selects it by annotation.

    Raises:
        InjectionError: A provider or an annotation cannot be injected.
    """
    hints = definition.hints
    candidates = {each.name: each for each in definition.named if _is_open(definition, each)}
    injections = [
        injection
        for each in candidates.values()
        if (injection := _injection(definition, each, hints.get(each.name), names, live_types)) is not None
    ]
    filled = {each.parameter for each in injections if each.name is not None or each.provider is not None}
    unsettled = tuple(name for name, each in candidates.items() if _is_unsettled(each, hints) and name not in filled)

    def settle(name: str, owner: object) -> Injection | None:
        try:
            hint = definition.annotations.resolve(name, owner)
        except Exception:
            return None
        return _injection(definition, candidates[name], hint, names, live_types)

    return Plan(definition, tuple(injections), unsettled, settle)


def _is_unsettled(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> bool:
    """Whether only the first call can resolve its type; the caller passes a parameter without default."""
    has_hint = parameter.annotation is parameter.empty or parameter.name in hints
    return not has_hint and parameter.default is not parameter.empty


def _is_open(definition: Definition, parameter: inspect.Parameter) -> bool:
    """Whether a value may be injected: not where a partial has bound one."""
    return parameter.name not in definition.bound or is_marker(parameter.default)


def _injection(
    definition: Definition,
    parameter: inspect.Parameter,
    hint: Any,
    names: frozenset[str],
    live_types: Mapping[str, type],
) -> Injection | None:
    marked = isinstance(parameter.default, (_Injected, Provider))
    provider = parameter.default if isinstance(parameter.default, Provider) else None
    if provider is not None:
        _check_provider(definition, parameter, provider, live_types)
    name, wanted_type = _builtin(parameter.name, _without_none(hint), names, live_types)
    if name is None and not marked:
        return None
    return Injection(
        parameter=parameter.name,
        provider=provider,
        name=name,
        wanted_type=wanted_type,
        optional=parameter.default is not parameter.empty and not marked,
    )


def _builtin(
    parameter: str, hint: Any, names: frozenset[str], live_types: Mapping[str, type]
) -> tuple[str | None, type | None]:
    """The built-in name that fills a parameter, and the class it must have if the annotation chose it."""
    for name, live_type in live_types.items():
        if name in names and isinstance(hint, type) and issubclass(hint, live_type):
            return name, hint
    return (parameter, None) if parameter in names else (None, None)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in {Union, types.UnionType}:
        others = [choice for choice in get_args(hint) if choice is not type(None)]
        return _without_none(others[0]) if len(others) == 1 else None
    generic: Mapping[str, Any] = getattr(hint, "__pydantic_generic_metadata__", {})
    return get_origin(hint) or generic.get("origin") or hint


def _check_provider(
    definition: Definition, parameter: inspect.Parameter, provider: Provider, live_types: Mapping[str, type]
) -> None:
    """Refuse a provider that can never work, and its own providers."""
    if provider.definition.kind.awaits and not definition.kind.awaits:
        reason = (
            f"{provider.definition.name}() is async and {definition.name}() is not. Make {definition.name}() async."
        )
        raise InjectionError(definition.name, parameter.name, reason)
    provider.plan = plan = plan_injection(provider.definition, TASK_NAMES, live_types)
    for needed in provider.definition.required:
        if needed not in plan.parameters:
            reason = f"its provider needs {needed!r}, which has neither a default nor a marker."
            raise InjectionError(definition.name, parameter.name, reason)


def is_marker(value: object) -> bool:
    """Whether a default is `INJECTED` or made by `Inject`."""
    return isinstance(value, (_Injected, Provider))
