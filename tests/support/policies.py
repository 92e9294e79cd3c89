"""Tasks with policies, for tests."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from flowscope.engine.definitions.callables import define
from flowscope.engine.definitions.task_definition import TaskDefinition, remember_definition
from flowscope.engine.lifecycle.task_drivers import caller_of
from flowscope.engine.live import LIVE_TYPES
from flowscope.engine.policies.policy import CallPolicy

__all__ = ["task_with"]


def task_with(*policies: CallPolicy, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator like `task` that also gives a task policies."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        definition = TaskDefinition(define(function, "task"), LIVE_TYPES, policies=policies, **options)
        return remember_definition(update_wrapper(caller_of(definition), function), definition)

    return decorate
