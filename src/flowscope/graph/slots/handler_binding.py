"""How a handler takes a message: planned once, when its routine joins a graph."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final, NoReturn

from ...engine.definitions.callables import Definition, Kind, define
from ...engine.definitions.task_definition import TaskDefinition, task_definition_of
from ...engine.lifecycle.task_drivers import caller_of, continue_call, mapping_caller, sync_caller
from ...engine.live import LIVE_TYPES
from ...engine.scope.call import Call
from ...engine.scope.context import Scope
from ...errors import DefinitionError, GraphError, InjectionError
from .snapshots import CONTAINERS, snapshot

__all__ = ["UNRUN", "Receiver"]

UNRUN: Final = frozenset({CoroutineType, GeneratorType, AsyncGeneratorType})
"""What a call returns that has not been done yet."""


class Receiver:
    """A handler as a task, and which parts of a message it takes.

    Raises:
        GraphError: It cannot be a handler.
    """

    def __init__(self, handler: Callable[..., Any], task_name: str) -> None:
        definition, task_definition = _planned(handler, task_name)
        injected = task_definition.plan.parameters
        taken = [one for one in definition.named if one.name not in injected]
        self.is_async: bool = definition.kind is Kind.ASYNC
        self._task_name = task_name
        self.call: Callable[..., Any] = (
            caller_of(task_definition) if self.is_async else sync_caller(task_definition, continue_call=self._go_on)
        )
        """Calls the handler as a task; what it returns, if it is not None, may be to be awaited."""
        self.call_from: Callable[[Scope, dict[str, Any]], Any] = mapping_caller(
            task_definition, self.call, continue_call=self._go_on
        )
        """The same from a place, with a message that fits, in a context of its own."""
        self.names: tuple[str, ...] = tuple(one.name for one in taken)
        """The keys that it takes."""
        self.required: tuple[str, ...] = tuple(name for name in definition.required if name not in injected)
        self.takes_all: bool = any(one.kind is one.VAR_KEYWORD for one in definition.parameters)
        """Whether it takes every key."""
        self._positional = {one.name: one.default for one in taken if one.kind is one.POSITIONAL_ONLY}
        self._keys = None if self._positional else frozenset(self.names)
        """The keys of a message that fits as it is."""
        self._whole = self.names == ("data",) and not self.takes_all
        self._refuse = caller_of(TaskDefinition(define(_raise, "handler"), LIVE_TYPES, task_name=task_name))

    @property
    def takes_by_name(self) -> bool:
        """Whether its parameters are keys of a message, and none is the message itself."""
        return not self._whole

    def takes(self, name: str) -> bool:
        """Whether it makes use of a key."""
        return self.takes_all or self._whole or name in self.names

    def fits(self, data: dict[str, Any]) -> bool:
        """Whether a message is the arguments as it is, and holds no containers."""
        if self._keys != data.keys():
            return False
        for value in data.values():  # noqa: SIM110 - for each message, where a generator costs more than all else
            if type(value) in CONTAINERS:
                return False
        return True

    def bind(
        self, data: dict[str, Any], problem: BaseException | None = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments for a message, in containers of their own. What does not fit is recorded as a failed task.

        Args:
            data: The message.
            problem: What is wrong with it already.

        Raises:
            TypeError: A parameter without default finds no value in the message.
            BaseException: The problem.
        """
        if problem is not None:
            self._refuse(problem)
        own = snapshot(data)
        if self._whole and "data" not in own:
            own = {"data": dict(own)}
        missing = [name for name in self.required if name not in own]
        if missing:
            wanted = ", ".join(map(repr, missing))
            self._refuse(TypeError(f"the handler wants {wanted}, and the message has {sorted(map(str, own))}"))
        by_position = self._positional
        names = own if self.takes_all else self.names
        kwargs = {name: own[name] for name in names if name in own and name not in by_position}
        return self._positions(own) if by_position else (), kwargs

    def _go_on(self, kind: Kind, call: Call, rest: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.refuse(rest) if kind.yields else continue_call(kind, call, rest, args, kwargs)

    def refuse(self, value: object) -> NoReturn:
        """Refuse a coroutine or generator that a handler has returned, and that nobody runs.

        Raises:
            TypeError: Always.
        """
        made = type(value).__name__
        raise TypeError(f"handler {self._task_name!r} returned a {made}, which nobody runs. Emit what it would yield.")

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


def _raise(error: BaseException) -> None:
    raise error
