"""Routines that are written into specs, where any process finds them: `python -m … <spec> <entry>` runs a graph of them."""

import json
import sys
from datetime import datetime
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, computed_field, field_serializer

from flowscope import task
from flowscope.graph import JobState, Routine, RoutineGraph, event, slot

__all__ = [
    "Color",
    "Hop",
    "NotOne",
    "Rich",
    "SelfMade",
    "bound",
    "history",
    "latest",
    "noted",
    "quiet",
    "recorded",
    "total",
]


def latest(value: Any) -> Any:
    """A value, or the last one that was appended."""
    return value[-1] if type(value) is list else value  # pyright: ignore[reportUnknownVariableType] # it may be anything


def total(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A merge function: adds values up, and passes the rest."""
    return {**new, "value": old.get("value", 0) + new.get("value", 0)}


def quiet(value: Any = None, **rest: Any) -> None:
    """A handler that is a function."""


async def noted(data: dict[str, Any]) -> None:
    """One that is async, and takes the whole message."""


@task
def recorded(value: Any = 0) -> object:
    """One that is a task itself."""
    return value


bound = partial(quiet, value=1)
"""No function or class, so it has no name of its own."""


class Hop(Routine):
    """Passes a message on to all its events, until it has hopped so often; one of its methods may handle other slots."""

    step: int = 1
    out = event("value", "hops")

    @slot
    def trigger(self, value: Any = 0, hops: Any = 0, **rest: Any) -> None:
        """Pass it on."""
        if latest(hops) > 0:
            for name in self.events:
                self.emit(name, value=latest(value) + self.step, hops=latest(hops) - 1)

    def other(self, value: Any = 0, hops: Any = 0) -> None:
        """Pass it on to one."""
        if latest(hops) > 0:
            self.emit("out", value=latest(value), hops=latest(hops) - 1)

    def _private(self, value: Any) -> None:
        """Fail on odd ones."""
        if latest(value) % 2:
            raise ValueError("odd")

    def methods(self) -> list[Any]:
        """All that may be handlers."""
        return [self.other, self._private, self.static, self.of_class, self.merge]

    @staticmethod
    def static(value: Any = 0) -> None:
        """Do nothing."""

    @classmethod
    def of_class(cls, data: dict[str, Any]) -> None:
        """Do nothing."""

    def merge(self, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        """Count in steps."""
        return {**new, "value": old.get("value", 0) + self.step}

    @property
    def computed(self) -> Any:
        """No method."""
        return quiet


class SelfMade(Hop):
    """Makes slots and events of its config."""

    names: list[str] = []

    def model_post_init(self, context: Any, /) -> None:
        """Make them."""
        for name in self.names:
            self.define_slot(name, self.other)
            self.define_event(name, ["value"])
        self.set_as_optional()


class Color(Enum):
    """Something that JSON has no form for."""

    RED = "r"


class Inner(BaseModel):
    """With an alias."""

    a_b: int = Field(alias="aB")


class Rich(Routine):
    """Fields of all kinds that come back."""

    model_config = ConfigDict(extra="allow")

    color: Color = Color.RED
    when: datetime = datetime(2024, 1, 2)
    limit: float = float("inf")
    unknown: float = float("nan")
    pair: tuple[int, str] = (1, "x")
    some: frozenset[int] = frozenset({1, 2})
    numbers: dict[int, str] = {1: "one"}
    raw: bytes = b"abc"
    inner: Inner = Inner(aB=3)
    aliased: int = Field(default=1, alias="the-alias")
    hidden: str = Field(default="", exclude=True)

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated properties
    @property
    def twice(self) -> int:
        """Computed."""
        return 2 * self.aliased


class WrittenOtherwise(Routine):
    """Read by its name, written by another."""

    name: int = Field(default=1, serialization_alias="the-name")


class Locked(Routine):
    """With a secret."""

    key: SecretStr


class Rounded(Routine):
    """Written with a loss."""

    factor: float = 1.5

    @field_serializer("factor")
    def _round(self, factor: float) -> int:
        return int(factor)


class Failing(Routine):
    """Not written at all."""

    factor: float = 1.5

    @field_serializer("factor")
    def _fail(self, factor: float) -> int:
        raise KeyError("no")


class Anything(Routine):
    """Of a field without a form."""

    thing: Any = None


class Handmade(Routine):
    """Made of something that is no field."""

    def __init__(self, gate: object) -> None:
        super().__init__()


class Unmade(Routine):
    """Whose making fails."""

    def model_post_init(self, context: Any, /) -> None:
        """Fail."""
        raise LookupError("nothing there")


class NotOne:
    """No routine."""


def history(job: JobState) -> list[tuple[str, str, Any]]:
    """What happened in a job, without its times."""
    return [
        (one.routine_id, one.event_name, one.data["error"]["type"] if "error" in one.data else one.data)
        for one in job.execution_history
    ]


def main(file: str, entry: str) -> None:
    """Run the graph of a spec, and print what happened."""
    graph = RoutineGraph.deserialize(Path(file).read_bytes())
    job = graph.execute(entry, {"value": 1, "hops": 3}, "sequential")
    print(json.dumps([str(job.status), history(job), graph.serialize().model_dump(mode="json")]))


if __name__ == "__main__":
    main(*sys.argv[1:])
