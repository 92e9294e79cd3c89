"""The function of a flow with its arguments, bound and checked when the flow is set up."""

from collections.abc import Callable, Mapping, Set
from functools import partial
from typing import Any, Final

from ...errors import DefinitionError
from ...serialization.json.json_leaves import clean_text
from ...serialization.secrets.redaction import Redactor
from ..definitions.arguments import ArgumentValidator
from ..definitions.callables import Definition, Kind, unwrap_partial
from ..definitions.injection_plan import FLOW_NAMES, is_marker, plan_injection
from ..run.run import provider_stack_at
from ..scope.context import Handle
from ..scope.run_name import RunName
from .invocation import invoke, invoke_async

__all__ = ["BoundTarget", "FlowDefinition"]

ASYNC: Final = Kind.ASYNC  # an enum looks a member up slowly, and each flow asks


class FlowDefinition:
    """The function of a flow and its injection plan, made once."""

    __slots__ = (
        "_hidden",
        "_plain",
        "_plan",
        "_validate",
        "_validator",
        "definition",
        "description",
        "name",
        "run_name",
    )

    def __init__(
        self,
        definition: Definition,
        live_types: Mapping[str, type],
        *,
        validate: bool = True,
        run_name: str | Callable[..., str] | None = None,
        description: str | None = None,
    ) -> None:
        self.definition: Definition = definition
        self.name: str = definition.name
        self.check_kind(definition.kind)
        self._plan = plan_injection(definition, FLOW_NAMES, live_types)
        self._plain = not self._plan.is_needed
        self._validator = ArgumentValidator(definition, self._plan.parameters)
        self._validate = validate
        if validate:
            self._plan.check_default = partial(self._validator.check_default, self.name)
        names = [parameter.name for parameter in definition.parameters][definition.binds_self :]
        self.run_name: RunName | None = None if run_name is None else RunName(run_name, names, f"flow {self.name!r}")
        """The name of each of its runs."""
        self.description: str | None = (
            _first_line(definition.target) if description is None else clean_text(description)
        )
        """What it does, in a line."""
        self._hidden = self._plan.parameters | {
            parameter.name for parameter in definition.parameters if is_marker(parameter.default)
        }

    @property
    def fillable(self) -> Set[str]:
        """The parameters that may be provided."""
        return self._plan.names

    @property
    def is_async(self) -> bool:
        """Whether the caller has to await it."""
        return self.definition.kind is ASYNC

    def check_kind(self, kind: Kind) -> None:
        """Refuse a generator.

        Raises:
            DefinitionError: The function is a generator.
        """
        if kind.yields:
            reason = "a generator cannot be a flow. Make it a task, and iterate over it in a flow."
            raise DefinitionError(f"flow {self.name!r}", reason)

    def bind(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], provided: Set[str] | None, flow_name: str
    ) -> "BoundTarget":
        """Bind arguments to the function.

        Raises:
            ParameterError: A value does not fit its parameter.
            DefinitionError: An annotation cannot be checked.
            TypeError: An argument is missing or unexpected.
        """
        bound = self._validator.bind(args, kwargs, provided)
        if (self._validate and self._validator.try_coerce(bound, flow_name)) or self._plan.fields:
            args, kwargs = bound.args, bound.kwargs
        defaults = self._plan.field_values(bound.arguments, complete=False) if self._plan.fields else {}
        params = self._validator.inputs(bound, defaults, without=self._hidden)
        return BoundTarget(self, args, kwargs, params, bound.arguments.keys(), defaults=defaults)

    def completed(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], defaults: Mapping[str, Any], provided: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with the defaults of fields, or with the provided values in their place."""
        return self._plan.merged(args, kwargs, {name: provided.get(name, defaults[name]) for name in defaults})

    def call(self, handle: Handle, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function in the run, as a sync one."""
        function = self.definition.target
        if self._plain and not handle.provided:
            return function(*args, **kwargs)
        return invoke(function, self._plan, provider_stack_at(handle, None, self._plan), args, kwargs)

    def start(self, handle: Handle, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function of either kind in the run; a coroutine has to be awaited."""
        function = self.definition.target
        if not self.is_async or (self._plain and not handle.provided):
            return self.call(handle, args, kwargs)
        return invoke_async(function, self._plan, provider_stack_at(handle, None, self._plan), args, kwargs)


def _first_line(target: Callable[..., Any]) -> str | None:
    """The first line of a docstring."""
    documentation = getattr(unwrap_partial(target), "__doc__", None)
    lines = documentation.strip().splitlines() if isinstance(documentation, str) else []
    return clean_text(lines[0].strip()) if lines else None


class BoundTarget:
    """A flow's function with its arguments."""

    __slots__ = ("_argument_names", "_defaults", "_params", "args", "kwargs", "target")

    def __init__(
        self,
        target: FlowDefinition,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        params: Mapping[str, Any],
        argument_names: Set[str],
        *,
        defaults: Mapping[str, Any],
    ) -> None:
        self.target: FlowDefinition = target
        self.args: tuple[Any, ...] = args
        self.kwargs: dict[str, Any] = kwargs
        self._params = params
        self._argument_names = argument_names
        self._defaults = defaults

    def params(self, provided: Set[str]) -> Mapping[str, Any]:
        """The arguments in the record: no default in the place of a provided value."""
        if not provided:
            return self._params
        filled = (self.target.fillable & provided) - self._argument_names
        return {name: value for name, value in self._params.items() if name not in filled}

    def run_name(self, provided: Set[str], redactor: Redactor) -> str | None:
        """The name of a run with these arguments, of which secrets are masked."""
        if self.target.run_name is None:
            return None
        params = self.params(provided)
        return self.target.run_name.of({name: redactor.mask_named(name, value) for name, value in params.items()})

    def call(self, handle: Handle) -> Any:
        """Call a sync function in the run."""
        if self._defaults:
            return self.target.call(handle, *self._completed(handle))
        return self.target.call(handle, self.args, self.kwargs)

    def start(self, handle: Handle) -> Any:
        """Call a function of either kind in the run; a coroutine has to be awaited."""
        if self._defaults:
            return self.target.start(handle, *self._completed(handle))
        return self.target.start(handle, self.args, self.kwargs)

    def _completed(self, handle: Handle) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self.target.completed(self.args, self.kwargs, self._defaults, handle.provided)
