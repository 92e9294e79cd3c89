"""The result of a validator arrives, also where it equals the argument; what no validator changed stays itself."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, Optional

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainValidator, WrapValidator
from typing_extensions import TypedDict

from flowscope import Flow, ParameterError, flow, task


def in_utc(moment: Any) -> Any:
    return moment.astimezone(UTC)


def in_utc_around(moment: Any, handler: Any) -> Any:
    return in_utc(handler(moment))


InUtc = Annotated[datetime, AfterValidator(in_utc)]
Kept = Annotated[
    datetime,
    BeforeValidator(lambda value: value),
    AfterValidator(lambda value: value),
    WrapValidator(lambda value, handler: handler(value)),
]
NOON = datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=5)))


class Meeting(BaseModel):
    """A model whose instances are checked again."""

    model_config = ConfigDict(revalidate_instances="always")
    at: InUtc


@dataclass
class Talk:
    at: InUtc


class Slot(TypedDict):
    at: InUtc


class Break(NamedTuple):
    at: InUtc


def arrived(annotation: Any, value: Any) -> Any:
    """What a flow function with one parameter of this annotation receives."""

    def receive(value: Any) -> Any:
        return value

    receive.__annotations__["value"] = annotation
    return flow(receive)(value).execute().return_value


def moment_in(value: Any) -> Any:
    """The moment that a value is, or has inside."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, Meeting | Talk):
        return value.at
    items: Any = list(value.values()) if hasattr(value, "values") else list(value)
    return moment_in(items[0])


REPLACED: list[tuple[Any, Any]] = [
    (InUtc, NOON),
    (Annotated[datetime, BeforeValidator(in_utc)], NOON),
    (Annotated[datetime, PlainValidator(in_utc)], NOON),
    (Annotated[datetime, WrapValidator(in_utc_around)], NOON),
    (Optional[InUtc], NOON),
    (list[InUtc], [NOON]),
    (dict[str, list[InUtc]], {"a": [NOON]}),
    (tuple[InUtc, int], (NOON, 1)),
    (Iterable[InUtc], [NOON]),
    (list[Iterable[InUtc]], [[NOON]]),
    (Slot, {"at": NOON}),
    (list[Slot], [{"at": NOON}]),
    (Break, Break(NOON)),
    (Talk, {"at": NOON}),
    (Meeting, Meeting.model_construct(at=NOON)),
    (list[Meeting], [Meeting.model_construct(at=NOON)]),
]


@pytest.mark.parametrize(("annotation", "given"), REPLACED, ids=lambda value: str(value)[:40])
def test_the_result_of_a_validator_arrives(annotation: Any, given: Any) -> None:
    """A moment that a validator moves to UTC is in UTC, alone and inside of containers and models."""
    moment = moment_in(arrived(annotation, given))
    assert moment == NOON
    assert moment.utcoffset() == timedelta(0)


KEPT: list[tuple[Any, Any]] = [
    (Kept, NOON),
    (list[Kept], [NOON]),
    (dict[str, Kept], {"a": NOON}),
    (Iterable[Kept], (NOON,)),
    (Optional[Kept], NOON),
    (Talk, Talk(NOON)),
    (Annotated[list[int], AfterValidator(lambda value: value)], [1, 2]),
    (Annotated[Decimal, AfterValidator(lambda value: value)], Decimal("1.0")),
]


@pytest.mark.parametrize(("annotation", "given"), KEPT, ids=lambda value: str(value)[:40])
def test_what_no_validator_changes_is_the_very_object(annotation: Any, given: Any) -> None:
    """A validator that returns what it was given leaves the argument as it is, containers included."""
    assert arrived(annotation, given) is given


def test_a_validator_that_copies_protects_the_list_of_the_caller() -> None:
    """A copy that a validator makes is what arrives, in flows and in tasks that validate."""

    def grow(numbers: Annotated[list[int], AfterValidator(copy.copy)]) -> list[int]:
        numbers.append(4)
        return numbers

    mine = [1, 2, 3]
    assert flow(grow)(mine).execute().return_value == [1, 2, 3, 4]
    with Flow[None]():
        assert task(validate=True)(grow)(mine) == [1, 2, 3, 4]
    assert mine == [1, 2, 3]


async def test_async_tasks_and_generators_get_the_result_too() -> None:
    """In tasks of other kinds the result of the validator arrives as well."""

    @task(validate=True)
    async def later(moment: InUtc) -> int:
        return moment.hour

    @task(validate=True)
    def hours(moment: InUtc) -> Iterator[int]:
        yield moment.hour

    async with Flow[None]():
        assert await later(NOON) == 7
        assert list(hours(NOON)) == [7]


def test_the_items_of_an_iterable_inside_a_container_are_checked() -> None:
    """A list for an inner `Iterable[int]` is checked and coerced; a generator there arrives unconsumed."""
    with pytest.raises(ParameterError, match=r"at 0\.1"):
        arrived(list[Iterable[int]], [[1, "x"]])
    assert arrived(list[Iterable[int]], [["1"]]) == [[1]]
    lazy = (number for number in range(2))
    assert arrived(dict[str, Iterable[int]], {"a": lazy})["a"] is lazy
    assert list(lazy) == [0, 1]


def test_a_class_that_pydantic_does_not_know_may_be_a_field() -> None:
    """A dataclass or typed dict with a field of any class is checked: the field by its class, the rest as ever."""

    class Client:
        pass

    @dataclass
    class Context:
        client: Client
        size: int

    context = Context(Client(), 1)
    assert arrived(Context, context) is context
    with pytest.raises(ParameterError):
        arrived(Context, "no context")
    with pytest.raises(ParameterError, match="at client"):
        arrived(Context, {"client": 1, "size": 1})
