"""Arguments at the boundary: what is checked, coerced and refused, and when."""

import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from flowscope import Flow, FlowConfig, FlowscopeError, ParameterError, RunStatus, flow, task


class Order(BaseModel):
    """A model."""

    number: int
    lines: list[str] = []


@flow
def ingest(count: int, name: str = "x") -> tuple[int, str]:
    return count, name


def received(annotation: Any, value: Any) -> Any:
    """What a flow function with one parameter of this annotation receives."""

    def receive(value: Any) -> Any:
        return value

    receive.__annotations__["value"] = annotation
    return flow(receive)(value).execute().return_value


COERCED: list[tuple[Any, Any, Any]] = [
    (int, "5", 5),
    (float, "1.5", 1.5),
    (bool, "yes", True),
    (Decimal, "1.10", Decimal("1.10")),
    (date, "2024-02-29", date(2024, 2, 29)),
    (Path, "/tmp/x", Path("/tmp/x")),
    (list[int], ["1", 2], [1, 2]),
    (dict[str, float], {"a": "0.5"}, {"a": 0.5}),
    (set[int], ["1", "1", 2], {1, 2}),
    (tuple[int, str], ["1", "a"], (1, "a")),
    (Order, {"number": "7"}, Order(number=7)),
    (list[Order], [{"number": 1}, Order(number=2)], [Order(number=1), Order(number=2)]),
    (int | None, "3", 3),
    (Annotated[int, Field(gt=2)], "3", 3),
    (Literal["a", "b"], "a", "a"),
    (SecretStr, "s", SecretStr("s")),
]


@pytest.mark.parametrize(("annotation", "value", "expected"), COERCED, ids=lambda value: str(value)[:30])
def test_arguments_are_coerced_by_pydantic(annotation: Any, value: Any, expected: Any) -> None:
    """An argument that can be made to fit is replaced by what Pydantic makes of it."""
    arrived = received(annotation, value)
    assert arrived == expected
    assert type(arrived) is type(expected)


def test_the_record_shows_what_arrived() -> None:
    """`params` are the coerced arguments, by name, defaults included."""
    text: Any = "5"
    made = ingest(text)
    assert made.flow_run.params == {"count": 5, "name": "x"}
    assert made.execute().return_value == (5, "x")


@pytest.mark.parametrize("config", [FlowConfig(), FlowConfig(raise_flow_error=False, logging_enabled=False)], ids=repr)
def test_a_bad_argument_raises_at_the_call_whatever_the_config(config: FlowConfig) -> None:
    """A bad argument raises when the flow is set up, before anything runs, and names all that helps."""

    @flow(flow_config=config)
    def measure(width: int, height: int = 1) -> None:
        pytest.fail("ran")

    bad: Any = "wide"
    with pytest.raises(ParameterError) as caught:
        measure(bad)
    error = caught.value
    assert isinstance(error, ValueError)
    assert isinstance(error, FlowscopeError)
    assert (error.function, error.parameter, error.value_type) == ("measure", "width", "str")
    assert "integer" in error.reason
    for part in ("measure", "'width'", "str", error.reason):
        assert part in str(error)
    with pytest.raises(ParameterError, match="'height'"):
        measure(1, bad)
    with pytest.raises(ParameterError, match="'height'"):
        measure(1, height=bad)


def test_the_error_names_the_flow_by_its_given_name() -> None:
    """Where a flow has a name of its own, the error of a bad argument says that name."""

    @flow(flow_name="nightly import")
    def measure(width: int) -> int:
        return width

    bad: Any = "wide"
    with pytest.raises(ParameterError, match="nightly import"):
        measure(bad)


SECRETS: list[tuple[Any, Any]] = [
    (int, "hunter2"),
    (dict[str, int], {"pin": "hunter2"}),
    (list[int], ["hunter2"]),
    (Literal["a"], "hunter2"),
    (Order, {"number": "hunter2"}),
    (date, "hunter2"),
    (Annotated[str, Field(max_length=2)], "hunter2"),
    (int | bool, "hunter2"),
]


@pytest.mark.parametrize(("annotation", "value"), SECRETS, ids=lambda value: str(value)[:30])
def test_the_error_does_not_show_the_value(annotation: Any, value: Any) -> None:
    """The text of the error, and everything it carries and chains, is free of the bad value."""
    with pytest.raises(ParameterError) as caught:
        received(annotation, value)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_error_pickles() -> None:
    """A `ParameterError` comes back from a pickle with its text and attributes."""
    with pytest.raises(ParameterError) as caught:
        received(int, "x")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.parameter == caught.value.parameter


@pytest.mark.parametrize("validate", [True, False])
def test_missing_and_unexpected_arguments_raise_at_the_call(validate: bool) -> None:
    """A missing, unexpected, doubled or surplus argument is a `TypeError` when the flow is set up."""

    @flow(validate=validate)
    def measure(width: int, *, height: int) -> None: ...

    call: Any = measure
    for args, kwargs, told in (
        ((), {"height": 1}, "width"),
        ((1,), {}, "height"),
        ((1,), {"height": 1, "depth": 2}, "depth"),
        ((1, 2), {"height": 1}, "positional"),
        ((1,), {"width": 1, "height": 1}, "width"),
    ):
        with pytest.raises(TypeError, match=told) as caught:
            call(*args, **kwargs)
        assert "measure" in str(caught.value)


def test_setup_checks_like_the_decorator() -> None:
    """`Flow().setup(function, ...)` coerces, and raises at once, as a flow function does."""

    def measure(width: int) -> int:
        return width

    assert Flow[int]().setup(measure, "5").execute().return_value == 5
    with pytest.raises(ParameterError, match="'width'"):
        Flow[int]().setup(measure, "wide")
    with pytest.raises(TypeError, match="width"):
        Flow[int]().setup(measure)


def test_without_validation_arguments_arrive_as_they_are() -> None:
    """With `validate=False` nothing is checked, and every argument is the very object."""

    @flow(validate=False)
    def loose(count: int) -> int:
        return count

    text: Any = ["5"]
    assert loose(text).execute().return_value is text


def test_tasks_are_not_checked_unless_asked() -> None:
    """A task takes any argument as it is; with `validate=True` it is coerced like a flow's."""

    @task
    def loose(count: int) -> Any:
        return count

    @task(validate=True)
    def strict(count: int) -> Any:
        return count

    text: Any = "5"
    with Flow[None]():
        assert loose(text) is text
        assert strict(text) == 5


async def test_a_bad_argument_of_a_checked_task_fails_the_call() -> None:
    """A checked task's bad or missing argument raises at the call, is recorded as a failed task, and not retried."""

    @task(validate=True, retries=3)
    def strict(count: int) -> None:
        pytest.fail("ran")

    @task(validate=True, raise_on_error=False)
    async def tolerant(count: int) -> int:
        return count

    bad: Any = "many"
    call: Any = strict
    async with Flow[None]() as made:
        with pytest.raises(ParameterError, match=r"strict.*'count'"):
            strict(bad)
        with pytest.raises(TypeError, match="count"):
            call()
        assert await tolerant(bad) is None
    assert made.succeeded
    assert [(t.status, t.attempts) for t in made.flow_run.tasks[:1]] == [(RunStatus.FAILED, 1)]
    assert [t.status for t in made.flow_run.tasks] == [RunStatus.FAILED] * 3


def test_defaults_are_not_checked() -> None:
    """A default that does not fit its annotation arrives as it is, as in Python."""

    @flow
    def odd(count: int = "none") -> Any:  # type: ignore[assignment]  # pyright: ignore[reportArgumentType] # that is the point
        return count

    assert odd().execute().return_value == "none"


def test_collected_arguments_are_checked_one_by_one() -> None:
    """The annotation of `*args` and `**kwargs` holds for each of the collected arguments."""

    @flow
    def collect(*sizes: int, **named: float) -> tuple[tuple[int, ...], dict[str, float]]:
        return sizes, named

    text: Any = "2"
    made = collect(1, text, a=text).execute()
    assert made.return_value == ((1, 2), {"a": 2.0})
    bad: Any = "two"
    with pytest.raises(ParameterError, match="'sizes'"):
        collect(1, bad)
    with pytest.raises(ParameterError, match="'named'"):
        collect(a=bad)


def test_positional_only_and_keyword_only_arguments_are_checked() -> None:
    """Every kind of parameter is coerced and refused alike."""

    @flow
    def kinds(a: int, /, b: int, *, c: int) -> tuple[int, int, int]:
        return a, b, c

    text: Any = "7"
    assert kinds(text, text, c=text).execute().return_value == (7, 7, 7)
    bad: Any = "seven"
    for args, c in (((bad, 1), 1), ((1, bad), 1), ((1, 1), bad)):
        with pytest.raises(ParameterError):
            kinds(*args, c=c)


def test_lazy_arguments_arrive_unconsumed() -> None:
    """An iterator given for `Iterable[int]`, `Iterator[int]` or an optional of them is the very one, not advanced."""
    advanced: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(3):
            advanced.append(n)
            yield n

    for annotation in (Iterable[int], Iterator[int], Iterable[int] | None, Iterable[Any], Iterable):
        lazy = numbers()
        assert received(annotation, lazy) is lazy
        assert advanced == []


def test_a_union_does_not_use_up_a_lazy_argument() -> None:
    """Whatever else it may be, and in whatever order: a list alone is made of it where nothing lazy is wanted."""
    annotations: list[Any] = [
        list[int] | Iterable[int],
        Iterable[int] | list[int],
        set[int] | Iterator[int],
        tuple[int, ...] | None | Iterable[int],
        list[int] | Generator[int, None, None],
        list[int] | Any,
        list[int] | object,
    ]
    for annotation in annotations:
        lazy = (n for n in range(3))
        assert received(annotation, lazy) is lazy
        assert list(lazy) == [0, 1, 2]
    assert received(list[int] | None, (n for n in range(3))) == [0, 1, 2]
    assert received(list[int] | Iterable[int], ["1"]) == [1]


class Endless:
    """Opens something at each iteration, which never ends."""

    opened = 0

    @property  # type: ignore[misc] # hostile on purpose
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]
        """It does not tell what it is."""
        raise RuntimeError

    def __iter__(self) -> Iterator[int]:
        self.opened += 1
        return count()


def test_an_iterable_is_not_opened_to_check_its_items() -> None:
    """A cursor, a response or a long range arrives as it is; what is held in memory is checked."""
    endless = Endless()
    for annotation in (Iterable[int], Iterable[int] | None, list[int] | Iterable[int]):
        assert received(annotation, endless) is endless
    assert endless.opened == 0
    assert received(Iterable[int], range(10**12)) == range(10**12)
    for held, arrives in ((["1"], [1]), (("1", 2), [1, 2]), ({"1": 0}.keys(), [1]), (deque("12"), [1, 2])):
        assert received(Iterable[int], held) == arrives
    for bad in (["x"], {"x": 1}, {"x": 1}.keys(), 5):
        with pytest.raises(ParameterError):
            received(Iterable[int], bad)


def test_functions_arrive_as_they_are() -> None:
    """A function, a class, a task or a flow given as an argument is the very object."""
    given: list[tuple[Any, Any]] = [
        (Callable[[int], int], abs),
        (Callable[..., Any], ingest),
        (type[BaseModel], Order),
        (type, int),
        (object, len),
    ]
    for annotation, value in given:
        assert received(annotation, value) is value
