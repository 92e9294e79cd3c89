"""Tasks that use what a flow gives them, where worker processes can import them."""

import copy
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from flowscope import (
    INJECTED,
    Flow,
    FlowConfig,
    Inject,
    RemoteDataError,
    Task,
    current_flow,
    current_task,
    submit,
    task,
)

from .process_tasks import Boom, leaf

__all__ = ["WRITES", "Ingest", "Model", "Setup"]

WRITES: Final[dict[str, Callable[[dict[str, Any]], object]]] = {
    "set": lambda data: data.__setitem__("rows", 1),
    "set new": lambda data: data.__setitem__("new", 1),
    "delete": lambda data: data.__delitem__("rows"),
    "delete missing": lambda data: data.__delitem__("missing"),
    "pop": lambda data: data.pop("rows"),
    "pop missing": lambda data: data.pop("missing", None),
    "popitem": lambda data: data.popitem(),
    "clear": lambda data: data.clear(),
    "update": lambda data: data.update({"rows": 1}),
    "update by name": lambda data: data.update(rows=1),
    "setdefault": lambda data: data.setdefault("missing", 1),
    "in place or": lambda data: data.__ior__({"rows": 1}),
}


@task
def write_data(how: str, flow_data: dict[str, Any] = INJECTED) -> dict[str, Any]:
    """Try to write, and return what is there then."""
    try:
        WRITES[how](flow_data)
    except RemoteDataError as error:
        return {"error": str(error), "key": error.key, **flow_data}
    return {"error": "none", **flow_data}


@task
def write_through_flow(key: str) -> None:
    current_flow().flow_data[key] = 1


@task
def write_unhandled(flow_data: dict[str, Any] = INJECTED) -> None:
    flow_data["rows"] = 1


@task
def read_in_all_ways(flow_data: dict[str, Any] = INJECTED, this_flow: Flow[Any] = INJECTED) -> dict[str, Any]:
    """Read without writing."""
    merged = flow_data | {"more": 1}
    return {
        "item": flow_data["rows"],
        "get": flow_data.get("rows"),
        "default": flow_data.get("missing", "default"),
        "in": ("rows" in flow_data, "missing" in flow_data),
        "len": len(flow_data),
        "keys": sorted(flow_data),
        "items": sorted(map(str, flow_data.items())),
        "dict": dict(flow_data),
        "copy": flow_data.copy(),
        "shallow": dict(copy.copy(flow_data)),
        "deep": dict(copy.deepcopy(flow_data)),
        "json": json.loads(json.dumps(flow_data)),
        "merged": merged,
        "setdefault": flow_data.setdefault("rows", 5),
        "same": flow_data == {"rows": [1, 2], "name": {"deep": (1, 2)}},
        "of the flow": this_flow.flow_data is flow_data or dict(this_flow.flow_data) == dict(flow_data),
        "equal to current": dict(current_flow().flow_data) == dict(flow_data),
        "is a dict": dict in type(flow_data).__mro__,
        "unpacked": {**flow_data},
    }


@task
def append_to_rows(flow_data: dict[str, Any] = INJECTED) -> list[int]:
    """Change a value inside the snapshot."""
    rows: list[int] = flow_data["rows"]
    rows.append(3)
    return rows


@task(retries=1)
def read_again(gate: Any, flow_data: dict[str, Any] = INJECTED) -> Any:
    """Fail the first time; return what the second attempt reads."""
    from .gate import pass_gate

    if current_task().attempt == 1:
        pass_gate(gate)
        raise Boom("again")
    return flow_data["rows"]


# Injection.


@dataclass
class Setup:
    """A provided value."""

    name: str
    rows: list[int]


def open_sync() -> Iterator[str]:
    print(f"sync opened in attempt {current_task().attempt}")
    try:
        yield f"sync of {os.getpid()}"
    finally:
        print("sync closed")


async def open_async() -> AsyncIterator[str]:
    print(f"async opened in attempt {current_task().attempt}")
    try:
        yield f"async of {os.getpid()}"
    finally:
        print("async closed")


def count_openings() -> Iterator[int]:
    print("shared opened")
    yield os.getpid()
    print("shared closed")


def fail_to_open() -> str:
    raise Boom("of the provider")


def fail_to_close() -> Iterator[int]:
    yield 1
    raise Boom("while closing")


@task(retries=1)
def use_provider(value: str = Inject(open_sync)) -> str:
    if current_task().attempt == 1:
        raise Boom("the first attempt")
    print("used")
    return value


@task
async def use_providers_async(one: str = Inject(open_sync), two: str = Inject(open_async)) -> list[str]:
    print("used")
    return [one.split()[0], two.split()[0]]


@task
def use_shared(one: int = Inject(count_openings, scope="flow"), two: int = Inject(count_openings, scope="flow")) -> Any:
    inner = use_shared_inside()
    return one, two, inner


@task
def use_shared_inside(three: int = Inject(count_openings, scope="flow")) -> int:
    return three


@task
def use_failing(value: str = Inject(fail_to_open)) -> str:
    return value


@task
def use_failing_close(value: int = Inject(fail_to_close)) -> int:
    return value


@task
def use_provided(
    setup: Setup = INJECTED, flow_data: dict[str, Any] = INJECTED, this_task: Task = INJECTED
) -> tuple[Setup, dict[str, Any], str]:
    setup.rows.append(99)
    return setup, dict(flow_data), this_task.task_name


@task
def override_provided(setup: Any = INJECTED) -> Any:
    return setup


@task
def shadow(flow_data: Any = INJECTED) -> Any:
    """Get what was provided in the place of a built-in name."""
    return flow_data


class Hooked(Flow[Any]):
    """Gives its tasks more."""

    def task_dependencies(self) -> dict[str, Any]:
        return {"setup": Setup("hooked", [1])}

    def run(self) -> Any:
        return submit(use_provided).result()[0]


@task(timeout=30)
def remaining() -> tuple[float, float]:
    first = current_task().remaining
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        pass
    second = current_task().remaining
    assert first is not None
    assert second is not None
    return first, second


@task
def remaining_without() -> tuple[float | None, float | None]:
    return current_task().remaining, remaining_inside()


@task
def remaining_inside() -> float | None:
    return current_task().remaining


@task(tags=("a", "b"))
def describe(this_task: Task = INJECTED, task_data: dict[str, Any] = INJECTED) -> dict[str, Any]:
    """What a task knows of itself and its flow."""
    flow = current_flow()
    task_data["own"] = 1
    return {
        "same": (this_task is current_task(), this_task.flow is flow),
        "task": (this_task.task_id, this_task.task_name, this_task.attempt, str(this_task.status)),
        "flow": (flow.flow_id, flow.flow_name, tuple(flow.tags)),
        "data": dict(this_task.task_data),
        "config": flow.flow_config.model_dump(mode="json"),
    }


@task
def tell_ids() -> list[str]:
    return [current_task().task_id, tell_id(), tell_id()]


@task
def tell_id() -> str:
    return current_task().task_id


# Methods.


class Ingest(Flow[Any]):
    """A flow with typed inputs, whose tasks are methods."""

    url: str
    batch: int = Field(default=100, ge=1)
    parts: list[int] = [1, 2]

    @task(executor="process")
    def load(self, part: int) -> str:
        self.log_info(f"load {part}")
        self.add_flow_result("part", value=part)
        return f"{self.url}/{part}/{self.batch} in {self.flow_id}"

    @task
    async def load_async(self, part: int) -> str:
        self.log_info(f"load {part}")
        return f"{self.url}/{part}/{self.batch} in {self.flow_id}"

    @task
    def load_all(self) -> list[str]:
        return [self.load(part) for part in self.parts]

    @task
    def change(self) -> int:
        """Change a field there."""
        self.batch = 7
        self.parts.append(3)
        return self.batch

    def run(self) -> Any:
        found = [self.load(part) for part in self.parts]
        found += [submit(self.load, 3).result(), submit(self.load_async, 4).result()]
        return [*found, *submit(self.load_all).result()]


class Changing(Ingest):
    """Has a field changed in a worker."""

    def run(self) -> Any:
        return submit(self.change).result(), self.batch, self.parts


class Model(BaseModel):
    """A model with tasks."""

    factor: int
    inner: "Model | None" = None

    @task
    def scale(self, number: int) -> int:
        return self.factor * number

    @task
    def scale_twice(self, number: int) -> int:
        return self.scale(self.scale(number))

    @task
    def copy_of(self) -> "Model":
        return self


@task(validate=True)
def strict(number: Annotated[int, Field(ge=0)], rows: list[int] = [], model: Model | None = None) -> Any:
    return number, rows, model


@task
def call_strict(number: Any) -> Any:
    return strict(number)


@task
def log_in(password: str, *, token: str = "", user: str = "") -> dict[str, str]:
    print(f"user {user}")
    current_task().add_result("login", value={"api_key": password, "user": user})
    current_task().add_artifact(key="secret", data=token)
    log_in_inside(password, token=token)
    return {"token": token, "user": user}


@task
def give_away(secret: str) -> str:
    """Show the secret in each way that a task has, and one that only a nested task has under its name."""
    current_task().log_info(f"told {secret}")
    current_task().add_artifact(f"about {secret}", key="a", data=[secret])
    print(f"printed {secret}, {log_in_inside('inner-' + secret)} inner-{secret}")
    error = ValueError(f"no {secret}", {"token": f"argument-{secret[::-1]}"})
    error.add_note(f"note {secret}")
    raise error


@task
def log_in_inside(password: str, token: str = "") -> str:
    return leaf.__name__


class Loud(FlowConfig):
    """Changes defaults."""

    log_to_console: bool = True
