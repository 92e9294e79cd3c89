"""Postponed annotations with names of the scopes around: functions, classes, closures and type parameters."""

# pyright: reportUnusedClass=false
# The local classes that hide a global one are used in annotations, which pyright takes for the global one.
from __future__ import annotations

import functools
import gc
import sys
import weakref
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from flowscope import INJECTED, Flow, Inject, ParameterError, Task, flow, task

TEXT: Any = "5"
BAD: Any = "many"
GIVEN: Any = {"number": "5"}


class Order(BaseModel):
    """A global class that local ones of its name hide."""

    number: str


class Shop:
    """A class with names of its own."""

    class Item(BaseModel):
        number: int

    @flow
    def sell(self, item: Item) -> int:
        return item.number

    @classmethod
    @task(validate=True)
    def price(cls, item: Item) -> int:
        return item.number

    def later(self, item: Item) -> int:
        return item.number

    def __call__(self, item: Item) -> int:
        return item.number


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator of a user around `@flow`."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return flow(wrapper)


def test_local_names_are_known_in_flows_and_tasks() -> None:
    """A local class is coerced, and refused, in flows and validating tasks, also through a decorator of one's own."""

    class Order(BaseModel):
        number: int

    class Local:
        Positive: TypeAlias = Annotated[int, Field(gt=0)]

    def place(order: Order, count: Local.Positive = 1) -> object:
        return order.number

    for made in (flow(place), flow(validate=True)(place), checked(place)):
        assert made(GIVEN).execute().return_value == 5
        with pytest.raises(ParameterError, match="'order'"):
            made(BAD)
        with pytest.raises(ParameterError, match="'count'"):
            made(GIVEN, -1)
    assert Flow[object]().setup(place, GIVEN).execute().return_value == 5
    with Flow[None]():
        assert task(validate=True)(place)(GIVEN) == 5
        with pytest.raises(ParameterError, match="'order'"):
            task(validate=True)(place)(BAD)


def test_names_of_the_scope_further_out_are_known() -> None:
    """A name of the function around the function around is found, and the innermost of one name is meant."""

    class Outer(BaseModel):
        number: int

    class Order(BaseModel):
        text: str

    def inside() -> Callable[..., Flow[object]]:
        class Order(BaseModel):
            number: int

        @flow
        def place(order: Order, outer: Outer) -> object:
            return order.number, outer.number

        return place

    assert inside()(GIVEN, GIVEN).execute().return_value == (5, 5)


def test_a_name_that_is_defined_after_the_decoration_is_known_from_the_closure() -> None:
    """A local class that the function itself uses may follow the function."""

    @flow
    def place(order: Later) -> object:
        return order, Later

    class Later(BaseModel):
        number: int

    assert place(GIVEN).execute().return_value == (Later(number=5), Later)


def test_names_of_the_class_are_known_in_its_methods() -> None:
    """A class inside the class may be the annotation of decorated and undecorated methods, global or local."""

    class Local:
        class Order(BaseModel):
            number: int

        @flow
        def place(self, order: Order) -> object:
            return order.number

    shop = Shop()
    made: list[Flow[Any]] = [
        shop.sell(GIVEN),
        Flow[int]().setup(shop.later, GIVEN),
        flow(shop)(GIVEN),
        Local().place(GIVEN),
    ]
    assert [each.execute().return_value for each in made] == [5, 5, 5, 5]
    with Flow[None]():
        assert Shop.price(GIVEN) == 5


def test_local_classes_inside_of_local_typed_dicts_are_known() -> None:
    """The annotations of a local typed dict are resolved where it stands, as the function's are."""

    class Item(BaseModel):
        number: int

    class Basket(TypedDict):
        items: list[Item]

    @flow
    def count(basket: Basket) -> int:
        return basket["items"][0].number

    given: Any = {"items": [GIVEN]}
    assert count(given).execute().return_value == 5
    with pytest.raises(ParameterError, match="at items"):
        count({"items": BAD})


def test_injection_by_local_types_works() -> None:
    """A local subclass of `Flow` or `Task`, in a task, a flow or a provider, is injected by its annotation."""

    class Ingest(Flow[int]):
        size: int = 3

        def run(self) -> int:
            return step() + self.more()

        @task
        def more(self, running: Ingest = INJECTED) -> int:
            return running.size

    class Other(Flow[int]):
        pass

    def size_of(running: Ingest = INJECTED) -> int:
        return running.size

    @task
    def step(running: Ingest = INJECTED, other: Other | None = None, size: int = Inject(size_of)) -> int:
        assert other is None
        return running.size + size

    @task
    def look(call: Task = INJECTED) -> str:
        return call.task_name

    assert Ingest().execute().return_value == 9
    assert flow(lambda: look())().execute().return_value == "look"


def test_the_scope_around_is_not_kept_alive() -> None:
    """Objects that are local to the function around live no longer than without the flow function."""

    class Heavy:
        pass

    def scope() -> tuple[Callable[..., Flow[object]], weakref.ref[Heavy]]:
        class Order(BaseModel):
            number: int

        heavy = Heavy()

        @flow
        def place(order: Order) -> object:
            return order.number

        return place, weakref.ref(heavy)

    place, heavy = scope()
    assert place(GIVEN).execute().return_value == 5
    gc.collect()
    assert heavy() is None


def test_a_cached_function_is_checked_by_the_annotations_inside() -> None:
    """A function behind `functools.lru_cache` is coerced and refused as if it stood alone."""

    @flow
    @functools.lru_cache
    def double(number: int) -> int:
        return 2 * number

    assert double(TEXT).execute().return_value == 10
    with pytest.raises(ParameterError):
        double(BAD)


SOURCE = """
from __future__ import annotations
from flowscope import flow, task, Flow

@flow
def alone[T: int](number: T, others: list[T]) -> tuple[T, list[T]]:
    return number, others

def around():
    class Local(int): ...
    @flow
    def inner[T: (int, bytes)](number: T, *more: T) -> tuple[object, ...]:
        return number, *more
    return inner

class Shelf[S: int]:
    @flow
    def put[T: int](self, first: S, second: T) -> tuple[S, T]:
        return first, second
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is new in 3.12")
def test_type_parameters_are_checked_by_their_bounds() -> None:
    """The type parameters of a function, and of the class around it, coerce and refuse as their bounds say."""
    names: dict[str, Any] = {"__name__": "typed_source"}
    exec(compile(SOURCE, "typed_source", "exec"), names)
    assert names["alone"]("3", ["4"]).execute().return_value == (3, [4])
    inner: Any = names["around"]()
    assert inner(b"3", b"4").execute().return_value == (b"3", b"4")
    assert names["Shelf"]().put("3", "4").execute().return_value == (3, 4)
    calls: tuple[Callable[[], Any], ...] = (
        lambda: names["alone"]("many", []),
        lambda: names["alone"](1, ["many"]),
        lambda: names["Shelf"]().put("many", 1),
        lambda: names["Shelf"]().put(1, "many"),
    )
    for refused in calls:
        with pytest.raises(ParameterError):
            refused()


class Running(Flow[Any]):
    """A class-style flow whose methods mention it before it is there."""

    @task
    def own(self, running: Running = INJECTED, other: Ahead | None = None, ahead: Running | None = None) -> Any:
        return running is self, other, ahead is self

    def run(self) -> Any:
        return self.own()


class Ahead(Flow[Any]):
    """A class that is defined after the method that mentions it."""


def test_a_class_may_be_injected_that_is_not_defined_at_the_decoration() -> None:
    """Methods may ask for their own class, global or local; a class that does not run stays at the default."""

    class Local(Flow[Any]):
        @task
        def own(self, running: Local | None = None) -> bool:
            return running is self

        @task(validate=True)
        def takes(self, other: Local) -> bool:
            return other is self

        def run(self) -> Any:
            return self.own(), self.takes(self)

    assert Running().execute().return_value == (True, None, True)
    assert Local().execute().return_value == (True, True)
    with Local() as made, pytest.raises(ParameterError, match="'other'"):
        made.takes(BAD)
