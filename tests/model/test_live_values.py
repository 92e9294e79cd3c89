"""Values are held by reference: nothing is consumed, nothing is changed, and they may change while they are written."""

import json
import threading
from collections import OrderedDict, UserDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from pydantic import BaseModel, SerializerFunctionWrapHandler, field_serializer, model_serializer

from support.model.recorded_values import Box, Parcel, held, is_description, keep, written


def numbers() -> Iterator[int]:
    """Something that can be read once."""
    yield from (1, 2, 3)


class Cursor:
    """A reader of one's own."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> "Cursor":
        return self

    def __next__(self) -> int:
        self.read += 1
        if self.read > 3:
            raise StopIteration
        return self.read


def kept(value: object) -> object:
    """The value itself."""
    return value


class Marked(BaseModel):
    """A model that is written as Pydantic would, and a mark."""

    content: Any

    @model_serializer(mode="wrap")
    def marked(self, handler: SerializerFunctionWrapHandler) -> Any:
        """Beside a mark."""
        return [handler(self), "mark"]


class Passing(BaseModel):
    """A model with a serialiser that gives the value itself."""

    content: Any

    @field_serializer("content")
    def passing(self, value: Any) -> Any:
        """The value."""
        return value


AROUND: Final[list[Callable[[Any], Any]]] = [
    kept,
    lambda value: [value],
    lambda value: {"a": (value,)},
    lambda value: Box(content=value),
    lambda value: Box(content=[value]),
    lambda value: Box(content={"a": Box(content=value)}),
    lambda value: Parcel(value),
    lambda value: Parcel([Box(content=(value,))]),
    lambda value: Marked(content=[value]),
    lambda value: Passing(content={"a": value}),
]
AROUND_NAMES: Final = [
    "itself",
    "list",
    "dict",
    "model",
    "model list",
    "models",
    "dataclass",
    "dataclass of models",
    "model serialiser",
    "field serialiser",
]


@pytest.mark.parametrize("around", AROUND, ids=AROUND_NAMES)
@pytest.mark.parametrize(
    ("make", "left"),
    [
        (numbers, [1, 2, 3]),
        (lambda: iter([1, 2, 3]), [1, 2, 3]),
        (lambda: map(str, [1, 2]), ["1", "2"]),
        (lambda: zip("ab", "cd", strict=True), [("a", "c"), ("b", "d")]),
        (lambda: (n for n in (1, 2)), [1, 2]),
        (Cursor, [1, 2, 3]),
    ],
    ids=["generator", "iterator", "map", "zip", "expression", "own"],
)
def test_nothing_is_consumed(around: Callable[[Any], Any], make: Callable[[], Any], left: list[Any]) -> None:
    """What can be read only once is described, wherever it is, and is still there to be read afterwards."""
    reader = make()
    found = json.dumps(written(around(reader)))
    assert f'"__type__": "{type(reader).__module__}.{type(reader).__qualname__}"' in found
    assert list(reader) == left


async def test_async_generators_and_coroutines_are_not_touched() -> None:
    """An awaitable value is described, and can be awaited afterwards."""

    async def ticks() -> AsyncIterator[int]:
        yield 1

    async def answer() -> int:
        return 42

    stream, waiting = ticks(), answer()
    found = written({"stream": stream, "box": Box(content=[waiting])})
    assert is_description(found["stream"])
    assert is_description(found["box"]["content"][0])
    assert [tick async for tick in stream] == [1]
    assert await waiting == 42


class Growing(BaseModel):
    """A model of containers that somebody goes on filling."""

    mapping: dict[Any, Any] = {}
    items: list[Any] = []
    members: set[Any] = set()
    line: deque[Any] = deque()


class Meddler:
    """Changes a container while it is being written."""

    def __init__(self, change: Callable[[], object]) -> None:
        self.change = change

    def __repr__(self) -> str:
        self.change()
        return "<meddler>"


def meddled(kind: str) -> tuple[Any, Callable[[int], object], Callable[[Any], object]]:
    """A container, what changes it, and what puts something into it."""
    if kind in {"dict", "ordered dict"}:
        mapping: dict[Any, Any] = {} if kind == "dict" else OrderedDict()
        return mapping, lambda n: mapping.update({n: n}), lambda item: mapping.update({str(len(mapping)): item})
    if kind == "shrinking dict":
        shrinking: dict[Any, Any] = {}
        return shrinking, lambda n: shrinking.clear(), lambda item: shrinking.update({str(len(shrinking)): item})
    if kind == "list":
        items: list[Any] = []
        return items, lambda n: items.clear(), items.append
    if kind == "set":
        members: set[Any] = set()
        return members, members.add, members.add
    line: deque[Any] = deque()
    return line, line.append, line.append


@pytest.mark.parametrize(
    "where", ["itself", "model", "typed field", "dataclass", "model serialiser", "field serialiser"]
)
@pytest.mark.parametrize("kind", ["dict", "ordered dict", "shrinking dict", "list", "set", "deque"])
def test_a_container_may_change_while_it_is_written(kind: str, where: str) -> None:
    """A container that changes in the middle of being written does not fail the record."""
    container, change, put = meddled(kind)
    changes = iter(range(1_000, 2_000))
    for _ in range(3):
        put(Meddler(lambda: change(next(changes))))
    field_name = {"list": "items", "set": "members", "deque": "line"}.get(kind, "mapping")
    wraps: dict[str, Callable[[Any], Any]] = {
        "itself": kept,
        "model": lambda value: Box(content=value),
        "typed field": lambda value: Growing.model_construct(**{field_name: value}),
        "dataclass": Parcel,
        "model serialiser": lambda value: Marked(content=value),
        "field serialiser": lambda value: Passing(content=value),
    }
    record = keep([wraps[where](container), "beside"]).execute().flow_run
    data = json.loads(record.model_dump_json())
    assert data["return_value"][1] == "beside"
    record.model_dump()


@dataclass
class Shared:
    """State that a thread changes while it is recorded."""

    mapping: dict[str, Any] = field(default_factory=dict[str, Any])
    items: list[Any] = field(default_factory=list[Any])
    members: set[Any] = field(default_factory=set[Any])
    line: deque[Any] = field(default_factory=deque[Any])
    model: Growing = field(default_factory=lambda: Growing(mapping={}, items=[], members=set(), line=deque()))


def test_containers_may_be_changed_by_another_thread() -> None:
    """While a thread changes every container in a value, its record can be taken and written all the time."""
    shared, stop, busy = Shared(), threading.Event(), threading.Event()

    def change() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            for target in (shared, shared.model):
                target.mapping[f"key {n % 50}"] = [object(), n]
                target.mapping.pop(f"key {(n + 25) % 50}", None)
                target.items.append({"n": object()})
                target.members.add((n % 40, object()) if n % 40 else n)
                target.line.append(b"\xff")
                if n % 50 == 0:
                    target.items.clear()
                    target.members.clear()
                    target.line.clear()
            if n == 100:
                busy.set()

    changer = threading.Thread(target=change)
    changer.start()
    try:
        assert busy.wait(30)
        made = keep(shared).execute()
        for _ in range(30):
            record = made.flow_run
            assert record.return_value is shared
            assert set(json.loads(record.model_dump_json())["return_value"]) == {
                "mapping",
                "items",
                "members",
                "line",
                "model",
            }
    finally:
        stop.set()
        changer.join()


def test_values_are_held_by_reference_and_never_changed() -> None:
    """Records hold the very objects, see what becomes of them until they are written, and change nothing themselves."""
    state: dict[str, Any] = {"list": [1, (2, {3})], "box": Box(content=UserDict(a=1)), "raw": bytearray(b"x")}
    parts = [state["list"], state["box"], state["raw"], state["box"].content]
    record = keep(state).execute().flow_run
    assert all(place is state for place in held(record))
    before = repr(state)
    first = json.loads(record.model_dump_json())["return_value"]
    record.model_dump()
    assert repr(state) == before
    assert [state["list"], state["box"], state["raw"], state["box"].content] == parts
    assert all(now is then for now, then in zip(state.values(), parts, strict=False))
    state["list"].append(4)
    assert json.loads(record.model_dump_json())["return_value"]["list"] == [*first["list"], 4]
