"""The registration of a flow: how it is to be run."""

import math
from dataclasses import dataclass
from typing import Any

from ...engine.flow_base import state_of
from ...engine.live import Flow
from ...engine.policies.retry import RetryPolicy
from ...errors import CoordinationError
from .options import FlowType

__all__ = ["Registration", "register"]


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """A flow, and how it is to be run."""

    flow_id: str
    """Its id when it was registered, under which its result is kept."""
    flow: Flow[Any]
    flow_type: FlowType
    timeout: float | None
    """Seconds for each attempt; None is no limit, 0.0 is over before it begins."""
    retry: RetryPolicy
    """How many extra attempts follow failed ones."""


def register(flow: Flow[Any], flow_type: FlowType, timeout: float | None, retries: object) -> Registration:
    """The registration of a flow.

    Raises:
        CoordinationError: It is no flow, or an option cannot work.
    """
    _check_is_flow(flow)
    what = f"flow {flow.flow_id!r}"
    if flow_type not in set(FlowType):
        raise CoordinationError(what, f"cannot run as {flow_type!r}. Choose one of {[*map(str, FlowType)]}.")
    if timeout is not None and not (_is_number(timeout) and timeout >= 0):
        raise CoordinationError(what, f"cannot have the timeout {timeout!r}. Give seconds, or None for no limit.")
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise CoordinationError(what, f"cannot have {retries!r} retries. Give the number of extra attempts, 0 or more.")
    state_of(flow).expected = False  # the coordinator decides whether it runs
    limit = None if timeout is None or math.isinf(timeout) else float(timeout)
    return Registration(flow.flow_id, flow, FlowType(flow_type), limit, RetryPolicy(retries))


def _check_is_flow(flow: object) -> None:
    if not isinstance(flow, Flow):
        hint = "is no flow. Register what calling a @flow function, or a subclass of Flow, gives."
        raise CoordinationError(repr(flow), hint)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
