"""How a handler takes a message: planned once, when its routine joins a graph."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from ..engine.definition import Kind, define
from ..engine.drivers import caller_of
from ..engine.live import LIVE_TYPES
from ..engine.spec import TaskSpec
from ..errors import GraphError

__all__ = ["Receiver"]

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY,)
_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Bound(NamedTuple):
    """The arguments of one activation."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Receiver:
    """A handler as a task, and which parts of a message it takes."""

    def __init__(self, handler: Callable[..., Any], task_name: str) -> None:
        definition = define(handler, "handler")
        if definition.kind not in {Kind.SYNC, Kind.ASYNC}:
            raise GraphError(f"handler {task_name!r} is a generator. Make it a function, and emit what it would yield.")
        spec = TaskSpec(definition, LIVE_TYPES, task_name=task_name)
        self.is_async = definition.kind is Kind.ASYNC
        self.call: Callable[..., Any] = caller_of(spec)
        """Calls, or awaits, the handler as a task."""
        injected = spec.plan.parameters
        taken = [one for one in definition.parameters if one.kind not in _VARIADIC and one.name not in injected]
        self.names = tuple(one.name for one in taken)
        """The keys that it takes."""
        self.required = tuple(one.name for one in taken if one.default is one.empty)
        self.takes_all = any(one.kind is one.VAR_KEYWORD for one in definition.parameters)
        """Whether it takes every key."""
        self._first = tuple(one.name for one in taken if one.kind in _POSITIONAL)
        self._whole = self.names == ("data",) and not self.takes_all

        self._refuse = caller_of(TaskSpec(define(_raise, "handler"), LIVE_TYPES, task_name=task_name))

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
        args = tuple(data[name] for name in self._first if name in data)
        if self.takes_all:
            kwargs = {name: value for name, value in data.items() if name not in self._first}
        else:
            kwargs = {name: data[name] for name in self.names if name in data and name not in self._first}
        return Bound(args, kwargs)


def _raise(error: BaseException) -> None:
    raise error
