"""The request for one attempt: what a worker process needs, made of a call, and packed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...engine.definitions.task_definition import TaskDefinition
from ...engine.ports import RunSink
from ...engine.run.run import Run
from ...engine.run.sinks import carried_by
from ...engine.scope.call import Call
from ...engine.scope.context import no_active_flow
from ...errors import SerializationError
from ...model.config import FlowConfig
from ...serialization.exception_snapshot import message_of
from ...serialization.transport.function_copies import arguments_of_copy
from ...serialization.transport.named_objects import loaded_object
from ...serialization.transport.pickling import Unsent, first_refusal, pack_items, to_pickle
from .messages import Probe

__all__ = ["AttemptRequest", "attempt_request_for", "pack", "positional_names", "probe_for"]


class AttemptRequest(NamedTuple):
    """All that an attempt needs."""

    function: Callable[..., Any]
    """The task function, or its target."""
    options: Mapping[str, Any] | None
    """With what to make a task of the target; None if it is the task function."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    task_name: str
    raise_on_error: bool
    attempt: int
    timeout: float | None
    task_id: str
    token: str
    """What makes the ids of the tasks that it calls unique."""
    flow_id: str
    flow_name: str
    config: FlowConfig
    tags: tuple[str, ...]
    data: dict[str, bytes | Unsent]
    """A snapshot of the shared data, item by item."""
    provided: dict[str, bytes | Unsent]
    levels: dict[str, int]
    """The levels of loggers, by name."""
    carried: tuple[tuple[type[RunSink], Mapping[str, str]], ...]
    """The sinks that surround the body, and what each of them has given for it."""


def attempt_request_for(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AttemptRequest:
    """All that a worker needs for the next attempt of a call.

    Raises:
        NoActiveFlowError: The flow has ended.
    """
    definition: TaskDefinition = call.definition
    handle = call.handle
    run: Run | None = handle.run
    if run is None:
        raise no_active_flow(f"task {definition.name!r}", None)
    flow = handle.find_flow()
    again = "" if call.attempt == 1 else f"r{call.attempt}"
    function, options = _function_of(definition)
    return AttemptRequest(
        function=function,
        options=options,
        args=args,
        kwargs=kwargs,
        task_name=definition.name,
        raise_on_error=definition.raise_on_error,
        attempt=call.attempt,
        timeout=definition.timeout,
        task_id=handle.task_id(call.order) or "",
        token=f"{handle.token}-{call.order}{again}",
        flow_id=handle.flow_id,
        flow_name=handle.flow_name,
        config=run.config,
        tags=run.tags,
        data=pack_items({} if flow is None else flow.flow_data),
        provided=pack_items(handle.provided),
        levels=_logging_levels(),
        carried=carried_by(run.sinks) if run.activation is not None else (),
    )


def _function_of(definition: TaskDefinition) -> tuple[Callable[..., Any], Mapping[str, Any] | None]:
    """The task function, if it is found where its name says; else its target, and how to make a task of that.

    A class method is found bound to its class, and is sent like that, because only that pickles.
    """
    function = definition.find_function()
    if function is not None:
        copied = arguments_of_copy(function)
        if copied is not None:
            return copied[0], {"task_name": definition.name, "validate": definition.validate}
        match = loaded_object(function.__module__, function.__qualname__)
        if getattr(match, "__func__", match) is function:
            return match, None
    return definition.target, {"task_name": definition.name, "validate": definition.validate}


def positional_names(call: Call) -> tuple[str, ...]:
    """The names of the positional parameters, `self` included."""
    definition: TaskDefinition = call.definition
    names = tuple(name.removeprefix("*") for name in definition.positional_names)
    return ("self", *names) if definition.binds_self else names


def _logging_levels() -> dict[str, int]:
    """The levels that loggers have been given here, by name; the root's is ""."""
    loggers = dict(logging.root.manager.loggerDict)
    given = {name: logger.level for name, logger in loggers.items() if isinstance(logger, logging.Logger)}
    return {"": logging.root.level, **{name: level for name, level in given.items() if level}}


def pack(request: AttemptRequest, task_name: str, parameters: tuple[str, ...]) -> bytes:
    """Pickle a request.

    Raises:
        SerializationError: An argument, the function or the config cannot be pickled.
    """
    try:
        return to_pickle(request)
    except Exception as error:
        culprit = first_refusal(_parts_of(request, task_name, parameters))
        raise culprit or SerializationError(
            f"a call of task {task_name!r}", type(request).__qualname__, message_of(error)
        ) from error


def _parts_of(request: AttemptRequest, task_name: str, parameters: tuple[str, ...]) -> list[tuple[str, object]]:
    """The parts of a request that may have no pickle, each with its description."""
    names = [*parameters, *(f"#{position + 1}" for position in range(len(parameters), len(request.args)))]
    return [
        *(
            (f"argument {name!r} of task {task_name!r}", value)
            for name, value in zip(names, request.args, strict=False)
        ),
        *((f"argument {name!r} of task {task_name!r}", value) for name, value in request.kwargs.items()),
        (f"the function of task {task_name!r}", request.function),
        (f"the config of flow {request.flow_name!r}", request.config),
    ]


def probe_for(request: AttemptRequest, task_name: str, parameters: tuple[str, ...]) -> bytes:
    """A probe for a request that could not be read."""
    parts = [
        (what, type(value).__qualname__, to_pickle(value)) for what, value in _parts_of(request, task_name, parameters)
    ]
    return to_pickle(Probe(parts))
