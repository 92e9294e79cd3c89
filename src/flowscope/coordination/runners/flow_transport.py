"""Sending a flow to a worker process, and its outcome back."""

# ruff: noqa: S301 - what is unpickled comes from a process that this library has started
import io
import pickle
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from importlib import import_module
from types import FunctionType
from typing import Any, Final, NamedTuple

from ...engine.definitions.callables import define
from ...engine.flow_base import state_of
from ...engine.lifecycle.flow_definition import FlowDefinition
from ...engine.live import LIVE_TYPES, Flow
from ...errors import SerializationError
from ...model.records import FlowRun
from ...model.status import RunStatus
from ...serialization.exception_snapshot import summary_of
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
        return _dumps(request)
    except Exception as error:
        raise _culprit(flow, request, error) from error


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
        data=state.given_data,
    )


class _Pickler(pickle.Pickler):
    """Finds a function also behind the decorated one that has its name."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, FunctionType):
            for depth, found in enumerate(_layers(obj.__module__, obj.__qualname__)):
                if found is obj and depth:
                    return _function_behind, (obj.__module__, obj.__qualname__, depth)
        return NotImplemented


def _layers(module: str, qualname: str) -> Iterator[object]:
    """What stands under a name, and what that wraps, and so on; nothing, if nothing stands there."""
    try:
        found: Any = reduce(getattr, qualname.split("."), import_module(module))
    except (ImportError, AttributeError):
        return
    while found is not None:
        yield found
        found = getattr(found, "__wrapped__", None)


def _function_behind(module: str, qualname: str, depth: int) -> object:
    for at, found in enumerate(_layers(module, qualname)):
        if at == depth:
            return found
    raise AttributeError(f"{module} has no decorated function {qualname}")


def _dumps(value: object) -> bytes:
    written = io.BytesIO()
    _Pickler(written, pickle.HIGHEST_PROTOCOL).dump(value)
    return written.getvalue()


def _culprit(flow: Flow[Any], request: _FlowRequest, error: Exception) -> SerializationError:
    """Find out what cannot be pickled."""
    name = repr(flow.flow_name)
    parameters = [parameter.name for parameter in definition_of(flow).parameters]
    given = {**dict(zip(parameters, request.args, strict=False)), **request.kwargs}
    parts: list[tuple[str, object]] = [
        (f"the function of flow {name}", request.function),
        *((f"argument {parameter!r} of flow {name}", value) for parameter, value in given.items()),
        *((f"what flow {name} is given as {parameter!r}", value) for parameter, value in request.provided.items()),
        *((f"flow_data[{key!r}] of flow {name}", value) for key, value in request.data.items()),
    ]
    for what, value in parts:
        try:
            _dumps(value)
        except Exception as reason:
            return _refusal(what, value, reason)
    return _refusal(f"flow {name}", flow, error)


def _refusal(what: str, value: object, error: Exception) -> SerializationError:
    return SerializationError(what, type(value).__qualname__, summary_of(error))


def run_packed(flow_name: str, packed: bytes) -> bytes:
    """In the worker: make the flow again, execute it, and pack how it ended.

    Raises:
        SerializationError: It cannot be made again here.
    """
    try:
        flow = _flow_of(pickle.loads(packed))
    except Exception as error:
        raise _refusal(f"flow {flow_name!r}", packed, error) from None
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
        return pickle.dumps(_FlowResponse(record, value), pickle.HIGHEST_PROTOCOL)
    except Exception:
        written = FlowRun.model_validate_json(record.model_dump_json())
    try:
        kept = written.model_copy(update={"return_value": record.return_value})
        return pickle.dumps(_FlowResponse(kept, value), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        refusal = _refusal(f"the return value of flow {flow_name!r}", value, error)
    return pickle.dumps(_FlowResponse(ForcedOutcome.raised(refusal).on(written), None), pickle.HIGHEST_PROTOCOL)


def unpack_outcome(flow_name: str, packed: bytes, parent_flow_id: str | None) -> Outcome:
    """At home: how the flow ended.

    Raises:
        SerializationError: It cannot be read here.
    """
    try:
        home: _FlowResponse = pickle.loads(packed)
    except Exception as error:
        raise _refusal(f"the record of flow {flow_name!r}", packed, error) from error
    record = home.record.model_copy(update={"parent_flow_id": parent_flow_id})
    return Outcome(RunStatus(record.status), lambda: record, home.value)
