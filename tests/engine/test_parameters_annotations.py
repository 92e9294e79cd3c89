"""Annotations that are text, that only type checkers can resolve, or that cannot be checked at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NewType, Protocol, TypeVar, runtime_checkable

import pytest
from pydantic import BaseModel

from flowscope import INJECTED, DefinitionError, Flow, Inject, ParameterError, Task, flow, task

if TYPE_CHECKING:
    from decimal import Decimal as Money

T = TypeVar("T")
UserId = NewType("UserId", int)
TEXT: Any = "5"
BAD: Any = "many"


@flow
def early(order: Late, count: int) -> tuple[Late, int]:
    """Decorated before its class exists."""
    return order, count


class Late(BaseModel):
    """Defined after the function that mentions it."""

    number: int


@flow
def paid(amount: Money, count: int) -> tuple[Money, int]:
    """Mentions a name that exists for type checkers alone."""
    return amount, count


@runtime_checkable
class Closable(Protocol):
    """Can be told from others at run time."""

    def close(self) -> None: ...


class Sized(Protocol):
    """Cannot be told from others at run time."""

    def size(self) -> int: ...


class Bag:
    """Conforms to both protocols."""

    def close(self) -> None: ...

    def size(self) -> int:
        return 1


@dataclass
class Pair(Generic[T]):
    """A generic class."""

    left: T


class Plain(Generic[T]):
    """A generic class that Pydantic knows nothing of."""


def test_text_annotations_are_checked() -> None:
    """Under `from __future__ import annotations` arguments are coerced and refused as ever."""

    @flow
    def measure(width: int, *more: float, **named: list[int]) -> Any:
        return width, more, named

    assert measure(TEXT, TEXT, a=[TEXT]).execute().return_value == (5, (5.0,), {"a": [5]})
    with pytest.raises(ParameterError, match="'width'"):
        measure(BAD)


def test_forward_references_are_resolved_at_the_first_call() -> None:
    """A class that was defined after the decoration is checked like any other."""
    given: Any = {"number": "1"}
    assert early(given, TEXT).execute().return_value == (Late(number=1), 5)
    order = Late(number=2)
    assert early(order, 1).execute().return_value[0] is order
    with pytest.raises(ParameterError, match="'order'"):
        early(BAD, 1)


def test_names_for_type_checkers_alone_are_refused_where_there_is_something_to_check() -> None:
    """An argument whose annotation cannot be resolved raises `DefinitionError`, which names function and parameter."""
    anything: Any = object()
    with pytest.raises(
        DefinitionError, match=r"paid\(\): parameter 'amount' is annotated 'Money'.*'Money' is not defined"
    ):
        paid(anything, 1)
    loose = flow(validate=False)(paid.__wrapped__)  # type: ignore[attr-defined] # pyright: ignore
    assert loose(anything, TEXT).execute().return_value == (anything, TEXT)


def test_what_is_not_given_needs_no_check() -> None:
    """A parameter that is injected, or left at its default, may mention what cannot be resolved."""

    @flow
    def use(flow_data: Money = INJECTED, other: Money | None = None) -> object:
        return flow_data, other

    assert use().execute().return_value == ({}, None)


async def test_a_task_that_cannot_be_checked_fails_and_is_not_retried() -> None:
    """A task with `validate=True` fails with `DefinitionError` at its first attempt, sync and async."""

    @task(validate=True, retries=3)
    def strict(amount: Money) -> None:
        pytest.fail("ran")

    @task(validate=True, retries=3)
    async def strict_later(amount: Money) -> None:
        pytest.fail("ran")

    async with Flow[None]() as made:
        with pytest.raises(DefinitionError, match="'amount'"):
            strict(BAD)
        with pytest.raises(DefinitionError, match="'amount'"):
            await strict_later(BAD)
    assert [t.attempts for t in made.flow_run.tasks] == [1, 1]


def test_runtime_protocols_are_checked_and_others_are_not() -> None:
    """An object that conforms arrives as itself; what lacks a runtime protocol's methods is refused."""

    @flow
    def use(closable: Closable, sized: Sized) -> tuple[Closable, Sized]:
        return closable, sized

    bag = Bag()
    received: tuple[object, object] = use(bag, bag).execute().return_value
    assert received[0] is bag
    assert received[1] is bag
    with pytest.raises(ParameterError, match="'closable'"):
        use(TEXT, bag)


def test_protocols_inside_other_annotations_do_not_hurt() -> None:
    """A protocol that cannot be checked may be an item, a mapping's value, an alternative or a result."""

    @flow
    def use(
        items: list[Sized], named: dict[str, Sized], maybe: Sized | None = None, make: Callable[[], Sized] = Bag
    ) -> tuple[list[Sized], dict[str, Sized], Sized | None]:
        return items, named, maybe

    bags: list[Sized] = [Bag()]
    named: dict[str, Sized] = {"a": Bag()}
    first, second, third = use(bags, named, bags[0]).execute().return_value
    assert first is bags
    assert second is named
    assert third is bags[0]


def test_generic_classes_and_new_types_are_checked_as_far_as_possible() -> None:
    """`NewType` is checked as its base, a generic class as a class; a bare type variable takes anything."""

    @flow
    def use(user: UserId, pair: Pair[int], plain: Plain[int], whatever: T) -> tuple[T, list[object]]:
        return whatever, [user, pair, plain]

    pair, plain, whatever = Pair(1), Plain[int](), object()
    same, result = use(TEXT, pair, plain, whatever).execute().return_value
    assert same is whatever
    assert result[0] == 5
    assert result[1] is pair
    assert result[2] is plain
    with pytest.raises(ParameterError, match="'user'"):
        use(BAD, pair, plain, whatever)
    with pytest.raises(ParameterError, match="'plain'"):
        use(UserId(1), pair, BAD, whatever)


def test_unannotated_parameters_take_anything() -> None:
    """A parameter without an annotation is not checked."""

    def loose(value: Any, count: int) -> Any:
        return value, count

    del loose.__annotations__["value"]
    assert flow(loose)(BAD, TEXT).execute().return_value == (BAD, 5)


def test_text_annotations_are_injected_by_type() -> None:
    """`Flow`, `Flow[int]`, `Task` and optional forms of them are recognised in text too."""

    @task
    def look(a: Flow[int] = INJECTED, b: Task = INJECTED, c: Flow[Any] | None = None) -> list[object]:
        return [a, b.task_name, c]

    @flow
    def outer(mine: Flow[Any] = INJECTED) -> list[object]:
        return [mine, *look()]

    made = outer().execute()
    assert made.return_value == [made, made, "look", made]


def test_checked_tasks_take_text_annotations_and_injection() -> None:
    """A checked task coerces what is given, and leaves alone what is injected."""

    def port() -> str:
        return "not a number"

    @task(validate=True)
    def connect(count: int, flow_data: dict[str, int] = INJECTED, port: int = Inject(port)) -> object:  # type: ignore[assignment]  # pyright: ignore[reportArgumentType] # not what the annotation says
        return count, flow_data, port

    with Flow[None]() as made:
        made.flow_data["x"] = BAD
        assert connect(TEXT) == (5, {"x": BAD}, "not a number")


@pytest.mark.parametrize("wrong", ["not python at all", 42, any, pytest, [int], list[any]], ids=str)  # type: ignore[valid-type]
def test_an_annotation_that_is_wrong_is_refused(wrong: Any) -> None:
    """An annotation that is no type, or no valid Python, raises `DefinitionError` where a value is given."""

    def odd(a: Any = None, b: int = 1) -> Any:
        return a, b

    odd.__annotations__.update(a=wrong)
    assert flow(odd)(b=TEXT).execute().return_value == (None, 5)
    with pytest.raises(DefinitionError, match=r"odd\(\): parameter 'a' is annotated .*validate=False"):
        flow(odd)(BAD)


def test_lazy_arguments_with_text_annotations_arrive_unconsumed() -> None:
    """A generator given for `Iterable[int]` written as text is the very one, also inside a container."""

    @flow
    def use(lazy: Iterable[int], several: list[Iterable[int]]) -> object:
        return lazy, several

    lazy = iter([1, 2])
    several: list[Iterable[int]] = [iter([3]), iter([4])]
    assert use(lazy, several).execute().return_value == (lazy, several)
    assert list(lazy) == [1, 2]
    assert [list(each) for each in several] == [[3], [4]]


def test_definition_errors_of_local_names_are_of_the_library() -> None:
    """The errors of decoration do not depend on how annotations are written."""
    with pytest.raises(DefinitionError):
        flow(Late)
