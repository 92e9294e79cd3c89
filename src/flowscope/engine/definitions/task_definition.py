"""The definition of a task: its function and its options, checked when it is decorated."""

import copy
import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isfinite
from typing import Any, cast

from ...errors import DefinitionError
from ...serialization.json.json_leaves import clean_text
from ...serialization.secrets.redaction import Redactor
from ..policies.policy import CallPolicy
from ..policies.retry import RetryDelay, RetryPolicy, RetryPredicate
from ..scope.call import CallExtras
from ..scope.run_name import RunName
from .arguments import ArgumentValidator
from .callables import Definition, Kind
from .injection_plan import TASK_NAMES, Plan, plan_injection
from .options import check_types, tags_of

__all__ = ["TaskDefinition", "remember_definition", "task_definition_of"]


class TaskDefinition:
    """The function and the options of a task."""

    __slots__ = (
        "_other_kinds",
        "_validator",
        "binds_self",
        "executor",
        "extras",
        "find_function",
        "kind",
        "name",
        "new_call",
        "plain",
        "plan",
        "policies",
        "positional_names",
        "raise_on_error",
        "retry",
        "run_name",
        "submitted_caller",
        "tags",
        "target",
        "timeout",
        "validate",
    )

    def __init__(
        self,
        definition: Definition,
        live_types: Mapping[str, type],
        *,
        task_name: str | None = None,
        raise_on_error: bool = True,
        retries: int = 0,
        retry_delay: float | Sequence[float] | Callable[[int], float] = 0.0,
        retry_backoff: float = 1.0,
        retry_jitter: float = 0.0,
        retry_on: type[Exception] | tuple[type[Exception], ...] | Callable[[Any], bool] = (Exception,),
        run_name: str | Callable[..., str] | None = None,
        timeout: float | None = None,
        executor: object = None,
        validate: bool = False,
        tags: str | tuple[str, ...] = (),
        policies: tuple[CallPolicy, ...] = (),
    ) -> None:
        check_types(
            f"task {definition.name!r}",
            {
                "task_name": task_name,
                "raise_on_error": raise_on_error,
                "retries": retries,
                "retry_delay": retry_delay,
                "retry_backoff": retry_backoff,
                "retry_jitter": retry_jitter,
                "run_name": run_name,
                "timeout": timeout,
                "validate": validate,
                "tags": tags,
            },
        )
        self.target: Callable[..., Any] = definition.target
        self.name: str = clean_text(task_name or definition.name)
        self.kind: Kind = definition.kind
        self._other_kinds: tuple[TaskDefinition, dict[Kind, TaskDefinition]] = (self, {})
        """The definition for each other kind of its calls, with the definition that owns the mapping: a copy makes its own."""
        self.new_call: Callable[[], Any] = partial(object.__new__, live_types["this_task"])
        """Makes the object of a call."""
        self.plan: Plan = plan_injection(definition, TASK_NAMES, live_types)
        self._validator = ArgumentValidator(definition, self.plan.names)
        if validate:
            self.plan.check_default = partial(self._validator.check_default, self.name)
        self.binds_self: bool = definition.binds_self
        names = tuple(parameter.name for parameter in definition.parameters)
        self.positional_names: tuple[str, ...] = _positional_names(definition)
        """The names of its positional parameters without `self`; that of `*args`, with its asterisk, is the last."""
        self.raise_on_error: bool = raise_on_error
        self.retry: RetryPolicy = RetryPolicy(
            retries, _delay(retry_delay), retry_backoff, retry_jitter, _retried(retry_on)
        )
        self.run_name: RunName | None = None if run_name is None else RunName(run_name, names, f"task {self.name!r}")
        """The name of each of its calls."""
        self.policies: tuple[CallPolicy, ...] = policies
        """The policies of its attempts, in the order before an attempt."""
        self.extras: CallExtras | None = None
        """The extras with the `task_data` of a task made by hand."""
        self.timeout: float | None = timeout
        self.validate: bool = validate
        self.tags: tuple[str, ...] = tuple(map(clean_text, tags_of(tags)))
        self.plain: bool = not (validate or self.plan.is_needed or timeout is not None)
        """Whether a call needs neither validation, injection nor a timeout."""
        self.find_function: Callable[[], Callable[..., Any] | None] = _no_function
        """A weak reference to the decorated function; returns None for a task made by hand."""
        self.submitted_caller: Callable[..., Any] | None = None
        """Awaits submitted calls; None before the first."""
        self.executor: object = executor
        """The executor of its calls: None, a name or an `Executor`."""
        self._check()

    def _check(self) -> None:
        self.check_kind(self.kind)
        for problem in self.retry.problems():
            self._refuse(problem)
        if self.timeout is not None and not (isfinite(self.timeout) and self.timeout > 0):
            self._refuse(f"timeout is {self.timeout!r}, wanted seconds above 0, or None for no limit.")

    def check_kind(self, kind: Kind) -> None:
        """Refuse options that this kind of call cannot have.

        Raises:
            DefinitionError: The task has such an option.
        """
        if kind.yields and (self.retry.retries or self.timeout is not None):
            self._refuse("a generator can neither be retried nor have a timeout; give them to a task that it calls.")
        if kind.yields and self.executor is not None:
            self._refuse("a generator runs where it is iterated over, and cannot have an executor.")
        if kind.yields and self.policies:
            self._refuse("a generator has no attempts to decide about; give the policies to a task that it calls.")

    def check_submittable(self, kind: Kind) -> None:
        """Refuse to run this kind of call elsewhere.

        Raises:
            DefinitionError: The kind is a generator.
        """
        if kind.yields:
            self._refuse(
                "a generator runs where it is iterated over, and cannot be submitted. Submit tasks that it calls."
            )

    def of_kind(self, kind: Kind) -> "TaskDefinition":
        """The definition of the same task for a call of another kind.

        Raises:
            DefinitionError: The task has options that this kind cannot have.
        """
        if self.kind is kind:
            return self
        if self._other_kinds[0] is not self:
            self._other_kinds = (self, {})
        others = self._other_kinds[1]
        if kind not in others:
            self.check_kind(kind)
            other = copy.copy(self)
            other.kind = kind
            others[kind] = other
        return others[kind]

    def run_name_of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], redactor: Redactor) -> str | None:
        """The name of a call with these arguments, of which secrets are masked."""
        if self.run_name is None:
            return None
        try:
            bound = self._validator.bind(args, kwargs)
        except TypeError:
            return None  # the call fails with that error
        inputs = self._validator.inputs(bound, {}, without=self.plan.parameters)
        return self.run_name.of({name: redactor.mask_named(name, value) for name, value in inputs.items()})

    def _refuse(self, reason: str) -> None:
        raise DefinitionError(f"task {self.name!r}", reason)

    def checked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments, validated if the task asks for it.

        Raises:
            ParameterError: A value does not fit its parameter.
            DefinitionError: An annotation cannot be checked.
            TypeError: An argument is missing or unexpected.
        """
        if self.plan.fields:
            kwargs = self._validator.by_name(kwargs)
        if not self.validate:
            return args, kwargs
        bound = self._validator.bind(args, kwargs)
        return (bound.args, bound.kwargs) if self._validator.try_coerce(bound, self.name) else (args, kwargs)


def _positional_names(definition: Definition) -> tuple[str, ...]:
    names: list[str] = []
    for parameter in definition.parameters[definition.binds_self :]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            return (*names, f"*{parameter.name}")
        names.append(parameter.name)
    return tuple(names)


def _delay(delay: Any) -> RetryDelay:
    """The delays of a policy: a sequence as a tuple."""
    return tuple(cast("Sequence[float]", delay)) if isinstance(delay, Sequence) else delay


def _retried(retry_on: Any) -> tuple[type[BaseException], ...] | RetryPredicate:
    """The classes as a tuple, or the predicate."""
    if isinstance(retry_on, tuple) or (callable(retry_on) and not isinstance(retry_on, type)):
        return cast("tuple[type[BaseException], ...] | RetryPredicate", retry_on)
    return (retry_on,)


def _no_function() -> None:
    """The function of a task that was made by hand."""


_definitions: "weakref.WeakKeyDictionary[Callable[..., Any], TaskDefinition]" = weakref.WeakKeyDictionary()


def remember_definition(function: Callable[..., Any], definition: TaskDefinition) -> Callable[..., Any]:
    """Register the function of a task."""
    _definitions[function] = definition
    definition.find_function = weakref.ref(function)
    return function


def task_definition_of(function: Callable[..., Any]) -> TaskDefinition | None:
    """The definition of a task function; None for another function."""
    return _definitions.get(function) if inspect.isfunction(function) else None
