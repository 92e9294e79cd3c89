"""Sending a flow to a worker process, and its outcome back."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from ...engine.definitions.callables import define
from ...engine.flow_base import state_of
from ...engine.lifecycle.flow_definition import FlowDefinition
from ...engine.lifecycle.flow_lifecycle import Parent
from ...engine.live import LIVE_TYPES, Flow
from ...model.records import FlowRun
from ...model.status import RunStatus
from ...serialization.transport.pickling import first_refusal, refusal, to_pickle, to_pickle_behind_decorators, unpickle
from ..schedule.outcome import ForcedOutcome, Outcome, ended
from .flow_internals import definition_of

__all__ = ["pack_flow", "run_packed", "unpack_outcome"]

_PLAIN: Final = frozenset(Flow.model_fields)


class _FlowRequest(NamedTuple):
    """All that is needed to make a flow again."""

    flow: Flow[Any] | Mapping[str, Any]
    """One of a subclass, or the fields of a plain one."""
    function: Callable[..., Any] | None
    """What it runs; None for a subclass that sets itself up."""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    provided: Mapping[str, Any]
    data: Mapping[str, Any]


class _FlowResponse(NamedTuple):
    """What comes back."""

    record: FlowRun
    value: object


def pack_flow(flow: Flow[Any]) -> bytes:
    """A flow that is set up and not executed, pickled.

    Raises:
        SerializationError: Part of it cannot be pickled.
    """
    request = _request_for(flow)
    try:
        return to_pickle_behind_decorators(request)
    except Exception as error:
        culprit = first_refusal(_parts_of(flow, request), to_pickle_behind_decorators)
        raise culprit or refusal(f"flow {flow.flow_name!r}", flow, error) from error


def _request_for(flow: Flow[Any]) -> _FlowRequest:
    state = state_of(flow)
    bound = state.bound
    plain = type(flow).__pydantic_generic_metadata__["origin"] or type(flow)
    return _FlowRequest(
        flow={name: getattr(flow, name) for name in _PLAIN} if plain is Flow else flow,
        function=None if bound is None else definition_of(flow).target,
        args=() if bound is None else bound.args,
        kwargs={} if bound is None else bound.kwargs,
        provided=dict(state.provided),
        data=state.initial_data,
    )


def _parts_of(flow: Flow[Any], request: _FlowRequest) -> list[tuple[str, object]]:
    """The parts of a request that may have no pickle, each with its description."""
    name = repr(flow.flow_name)
    parameters = [parameter.name for parameter in definition_of(flow).parameters]
    given = {**dict(zip(parameters, request.args, strict=False)), **request.kwargs}
    return [
        (f"the function of flow {name}", request.function),
        *((f"argument {parameter!r} of flow {name}", value) for parameter, value in given.items()),
        *((f"what flow {name} is given as {parameter!r}", value) for parameter, value in request.provided.items()),
        *((f"flow_data[{key!r}] of flow {name}", value) for key, value in request.data.items()),
    ]


def run_packed(flow_name: str, packed: bytes) -> bytes:
    """In the worker: make the flow again, execute it, and pack how it ended.

    Raises:
        SerializationError: It cannot be made again here.
    """
    try:
        flow = _flow_of(unpickle(packed))
    except Exception as error:
        raise refusal(f"flow {flow_name!r}", packed, error) from None
    try:
        flow.execute()
    except BaseException as error:
        outcome = ended(flow, error)
    else:
        outcome = ended(flow, None)
    return _pack_outcome(flow_name, outcome)


def _flow_of(request: _FlowRequest) -> Flow[Any]:
    flow = request.flow if isinstance(request.flow, Flow) else Flow[Any](**request.flow)
    state = state_of(flow)
    if request.function is not None:
        target = FlowDefinition(define(request.function, "flow"), LIVE_TYPES, validate=False)
        state.bound = target.bind(request.args, dict(request.kwargs), None, flow.flow_name)
    state.provided = request.provided
    state.data.update(request.data)
    return flow


def _pack_outcome(flow_name: str, outcome: Outcome) -> bytes:
    record, value = outcome.record, outcome.value
    try:
        return to_pickle(_FlowResponse(record, value))
    except Exception:
        written = FlowRun.model_validate_json(record.model_dump_json())
    try:
        kept = written.model_copy(update={"return_value": record.return_value})
        return to_pickle(_FlowResponse(kept, value))
    except Exception as error:
        unsent = refusal(f"the return value of flow {flow_name!r}", value, error)
    return to_pickle(_FlowResponse(ForcedOutcome.raised(unsent).on(written), None))


def unpack_outcome(flow_name: str, packed: bytes, parent: Parent) -> Outcome:
    """At home: how the flow ended.

    Raises:
        SerializationError: It cannot be read here.
    """
    try:
        response: _FlowResponse = unpickle(packed)
    except Exception as error:
        raise refusal(f"the record of flow {flow_name!r}", packed, error) from error
    record = response.record.model_copy(update={"parent_flow_id": parent.flow_id, "parent_task_id": parent.task_id})
    return Outcome(RunStatus(record.status), lambda: record, response.value)
