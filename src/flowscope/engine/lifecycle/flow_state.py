"""The state of a flow from one execution to the next: its function, its runs, its blocks and its data."""

from collections.abc import Mapping
from typing import Any, Final

from ..._clock import new_token
from ...serialization.secrets.redaction import redactor_for
from ..events.bus import Listener
from ..run.run import Run
from ..scope.context import NOTHING, BlockHandle
from .flow_definition import BoundTarget
from .flow_warnings import warn_not_executed

__all__ = ["ID_PREFIX", "FlowState", "ensure_live_run", "new_flow_id"]

ID_PREFIX: Final = "flow-"
"""The beginning of the ids that this library makes."""


def new_flow_id() -> str:
    """A unique id of a flow."""
    return ID_PREFIX + new_token()


class FlowState:
    """The state that a `Flow` has from one execution to the next."""

    __slots__ = (
        "blocks",
        "bound",
        "data",
        "executing",
        "expected",
        "field_names",
        "listeners",
        "pending_block",
        "provided",
        "run",
        "seed",
    )

    def __init__(self, field_names: tuple[str, ...]) -> None:
        self.field_names: tuple[str, ...] = field_names
        """The inputs that a subclass declares."""
        self.bound: BoundTarget | None = None
        """Its function and arguments; None before `setup`."""
        self.run: Run | None = None
        """The present or the latest run."""
        self.executing: bool = False
        """Whether its function is being called."""
        self.expected: bool = False
        """Whether its execution is expected: a flow function has made it, and no code has executed it or taken it over."""
        self.blocks: list[Any] = []
        """Its entered `with` blocks: the innermost one last."""
        self.pending_block: BlockHandle | None = None
        """The entered `with` block whose run has not started; the first task, message or print starts it."""
        self.data: dict[str, Any] = {}
        self.seed: Mapping[str, Any] | None = None
        """The data as the user set it before the first run; None until then."""
        self.provided: Mapping[str, Any] = NOTHING
        self.listeners: list[Listener] = []

    def __del__(self) -> None:
        if self.expected and self.run is None:
            warn_not_executed(self.bound)

    @property
    def live_run(self) -> Run | None:
        """The present run."""
        return self.run if self.run is not None and not self.run.ended else None

    @property
    def present_provided(self) -> Mapping[str, Any]:
        """The values that the next run provides, by name."""
        return self.provided if self.pending_block is None else {**self.provided, **self.pending_block.provided}

    @property
    def initial_data(self) -> dict[str, Any]:
        """A copy of the data as the user set it, without the changes of runs."""
        return dict(self.data if self.seed is None else self.seed)

    def params_of(self, flow: Any, provided: Mapping[str, Any]) -> Mapping[str, Any]:
        """The flow's inputs in the record, without provided values."""
        params = NOTHING if self.bound is None else self.bound.params(provided.keys())
        if not self.field_names:
            return params
        redactor = redactor_for(flow.flow_config.redact)
        fields = {name: redactor.mask_field(flow, name, flow.__dict__[name]) for name in self.field_names}
        return {**fields, **params}


def ensure_live_run(state: FlowState) -> Run | None:
    """The present run; a `with` block whose run has not started starts it for this."""
    if state.pending_block is not None:
        state.pending_block.ensure_run()
    return state.live_run
