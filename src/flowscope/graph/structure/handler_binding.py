"""How a handler takes a message: planned once, when its routine joins a graph."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final, NamedTuple, NoReturn

from ...engine.definitions.callables import Definition, Kind, define
from ...engine.definitions.deferred import own_kind
from ...engine.definitions.task_definition import TaskDefinition, task_definition_of
from ...engine.lifecycle.task_drivers import caller_of, go_on, sync_caller
from ...engine.live import LIVE_TYPES
from ...engine.scope.call import Call
from ...errors import DefinitionError, GraphError, InjectionError

__all__ = ["Receiver"]

_UNRUN: Final = frozenset({CoroutineType, GeneratorType, AsyncGeneratorType})


class Bound(NamedTuple):
    """The arguments of one activation."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Receiver:
    """A handler as a task, and which parts of a message it takes.

    Raises:
        GraphError: It cannot be a handler.
    """

    def __init__(self, handler: Callable[..., Any], task_name: str) -> None:
        definition, task_definition = _planned(handler, task_name)
        injected = task_definition.plan.parameters
        taken = [one for one in definition.named if one.name not in injected]
        is_async = definition.kind is Kind.ASYNC
        self.call: Callable[..., Any] = caller_of(task_definition) if is_async else _checking(task_definition)
        """Calls the handler as a task; what it returns, if it is not None, is to be awaited."""
        self.names = tuple(one.name for one in taken)
        """The keys that it takes."""
        self.required = tuple(one.name for one in taken if one.default is one.empty)
        self.takes_all = any(one.kind is one.VAR_KEYWORD for one in definition.parameters)
        """Whether it takes every key."""
        self._positional = {one.name: one.default for one in taken if one.kind is one.POSITIONAL_ONLY}
        self._whole = self.names == ("data",) and not self.takes_all
        self._refuse = caller_of(TaskDefinition(define(_raise, "handler"), LIVE_TYPES, task_name=task_name))

    @property
    def takes_by_name(self) -> bool:
        """Whether its parameters are keys of a message, and none is the message itself."""
        return not self._whole

    def takes(self, name: str) -> bool:
        """Whether it makes use of a key."""
        return self.takes_all or self._whole or name in self.names

    def bind(self, data: Mapping[str, Any], problem: BaseException | None = None) -> Bound:
        """The arguments for a message. What does not fit is recorded as a failed task.

        Args:
            data: The message.
            problem: What is wrong with it already.

        Raises:
            TypeError: A parameter without default finds no value in the message.
            BaseException: The problem.
        """
        if problem is not None:
            self._refuse(problem)
        if self._whole and "data" not in data:
            data = {"data": dict(data)}
        missing = [name for name in self.required if name not in data]
        if missing:
            wanted = ", ".join(map(repr, missing))
            self._refuse(TypeError(f"the handler wants {wanted}, and the message has {sorted(map(str, data))}"))
        by_position = self._positional
        names = data if self.takes_all else self.names
        kwargs = {name: data[name] for name in names if name in data and name not in by_position}
        return Bound(self._positions(data) if by_position else (), kwargs)

    def _positions(self, data: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of what has no name for callers, as far as the message has any."""
        values = [data.get(name, default) for name, default in self._positional.items()]
        last = max((place for place, name in enumerate(self._positional, 1) if name in data), default=0)
        return tuple(values[:last])


def _planned(handler: Callable[..., Any], task_name: str) -> tuple[Definition, TaskDefinition]:
    what = f"handler {task_name!r}"
    try:
        definition = _definition(handler)
        if definition.kind.yields:
            raise GraphError(f"{what} is a generator. Make it a function, and emit what it would yield.")
        task_definition = TaskDefinition(definition, LIVE_TYPES, task_name=task_name)
    except (DefinitionError, InjectionError) as error:
        raise GraphError(f"{what} cannot be called with messages: {error}") from error
    _refuse_hidden(definition, task_definition, what)
    return definition, task_definition


def _definition(handler: Callable[..., Any]) -> Definition:
    """What a handler looks like; one that is a task already fills its own injected parameters."""
    definition = define(handler, "handler")
    known = task_definition_of(getattr(handler, "__func__", handler))
    if known is None:
        return definition
    return replace(
        definition, parameters=tuple(one for one in definition.parameters if one.name not in known.plan.parameters)
    )


def _refuse_hidden(definition: Definition, task_definition: TaskDefinition, what: str) -> None:
    """A value from the message would land in an injected parameter that has no name for callers and stands before it."""
    hidden = ""
    for one in definition.parameters:
        if one.kind is one.POSITIONAL_ONLY and one.name in task_definition.plan.parameters:
            hidden = one.name
        elif one.kind is one.POSITIONAL_ONLY and hidden:
            raise GraphError(f"{what} has the injected {hidden!r} before {one.name!r}, and both before '/'. Swap them.")


def _checking(task_definition: TaskDefinition) -> Callable[..., Any]:
    """A call that returns the coroutine with which it goes on, if there is one: of a wrapper, or a lambda."""

    def refuse(value: object) -> NoReturn:
        made = type(value).__name__
        raise TypeError(
            f"handler {task_definition.name!r} returned a {made}, which nobody runs. Emit what it would yield."
        )

    def go_on_unless(kind: Kind, call: Call, rest: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return refuse(rest) if kind.yields else go_on(kind, call, rest, args, kwargs)

    call = sync_caller(task_definition, go_on=go_on_unless)

    def checked(*args: Any, **kwargs: Any) -> Any:
        value = call(*args, **kwargs)
        if type(value) not in _UNRUN:
            return None
        return value if own_kind(value) is Kind.ASYNC else refuse(value)

    return checked


def _raise(error: BaseException) -> None:
    raise error
