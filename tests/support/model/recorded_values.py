"""A flow whose record holds one value in every place that can hold one, and what to put around values."""

import inspect
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from flowscope import FlowConfig, FlowRun, current_flow, flow, task

__all__ = ["Box", "Parcel", "as_pydantic", "held", "is_description", "keep", "written"]

ANYTHING: Final[TypeAdapter[Any]] = TypeAdapter(Any)


class Box(BaseModel):
    """A model with anything inside."""

    content: Any
    other: int = 1


@dataclass
class Parcel:
    """A dataclass with anything inside."""

    content: Any
    other: int = 1


@task
def take(value: Any, *, named: Any) -> Any:
    """A task that has the value as inputs and as return value."""
    return value


@flow(validate=False, flow_config=FlowConfig(capture_events=True))
def keep(value: Any) -> Any:
    """A flow whose record holds the value in every place that can hold one."""
    running = current_flow()
    running.add_flow_artifact(key="artifact", data=value)
    running.add_flow_result("result", value=value)
    return take(value, named=value)


def held(record: FlowRun[Any]) -> list[Any]:
    """The objects that stand for one value, in every place of a record of `keep`."""
    (call,) = record.tasks
    return [
        record.return_value,
        record.params["value"],
        record.artifacts[0].data,
        *(result.value for result in record.results),
        call.return_value,
        call.input_args[0],
        call.input_kwargs["named"],
    ]


def written(value: Any) -> Any:
    """What the JSON of a record has for a value, the same in every place."""
    record = keep(value).execute().flow_run
    text = record.model_dump_json()
    assert FlowRun.model_validate_json(text).model_dump_json() == text
    places = held(FlowRun.model_validate_json(text))
    assert len(places) == 8
    assert places == [places[0]] * len(places)
    record.model_dump()
    return places[0]


def is_description(found: Any) -> bool:
    """Whether a value was described by its repr and type."""
    return isinstance(found, dict) and found.keys() == {"__repr__", "__type__"}  # pyright: ignore[reportUnknownMemberType] # of anything


def as_pydantic(value: Any) -> Any:
    """What the installed Pydantic writes for a value; an older one knows some leaves by their type alone."""
    by_alias: Any = inspect.signature(BaseModel.model_dump).parameters["by_alias"].default

    def dump(adapter: TypeAdapter[Any], found: Any) -> Any:
        return adapter.serializer.to_python(found, mode="json", by_alias=by_alias, fallback=typed)

    def typed(leaf: Any) -> Any:
        return dump(TypeAdapter(leaf.__class__), leaf)

    return dump(ANYTHING, value)
