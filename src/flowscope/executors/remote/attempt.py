"""Packing an attempt for a worker."""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ...engine.definitions.task_definition import TaskDefinition
from ...engine.run.run import Run
from ...engine.scope.call import Call
from ...engine.scope.context import no_active_flow
from .messages import AttemptRequest, pack_items

__all__ = ["attempt_request_for", "positional_names"]


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
    )


def _function_of(definition: TaskDefinition) -> tuple[Callable[..., Any], Mapping[str, Any] | None]:
    """The task function, if it is found where its name says; else its target, and how to make a task of that."""
    function = definition.find_function()
    if function is not None and _found(function.__module__, function.__qualname__) is function:
        return function, None
    return definition.target, {"task_name": definition.name, "validate": definition.validate}


def _found(module: str, name: str) -> object:
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def positional_names(call: Call) -> tuple[str, ...]:
    """The names of the positional parameters, `self` included."""
    definition: TaskDefinition = call.definition
    return ("self", *definition.positional_names) if definition.binds_self else definition.positional_names


def _logging_levels() -> dict[str, int]:
    """The levels that loggers have been given here, by name; the root's is ""."""
    loggers = dict(logging.root.manager.loggerDict)
    given = {name: logger.level for name, logger in loggers.items() if isinstance(logger, logging.Logger)}
    return {"": logging.root.level, **{name: level for name, level in given.items() if level}}
