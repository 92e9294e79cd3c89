"""Defaults that are a Pydantic `Field(...)`: the function gets what the field holds, and never the field."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, AliasPath, Field

from flowscope import (
    DefinitionError,
    Flow,
    Inject,
    InjectionError,
    ParameterError,
    Task,
    flow,
    submit,
    task,
)

TEXT: Any = "5"


def fetch(
    size: int = Field(default=5, gt=0), *, names: list[str] = Field(default_factory=list)
) -> tuple[int, list[str]]:
    names.append("x")
    return size, names


async def fetch_later(size: int = Field(default=5, gt=0)) -> int:
    return size


def count_up(size: int = Field(default=2)) -> Iterator[int]:
    yield from range(size)


@pytest.mark.parametrize("validate", [True, False])
async def test_flows_get_the_default_of_the_field(validate: bool) -> None:
    """A sync or async flow gets the default, a new one from a factory, which the record shows."""
    made = flow(validate=validate)(fetch)
    assert made().flow_run.params == {"size": 5, "names": []}
    assert made().execute().return_value == made().execute().return_value == (5, ["x"])
    assert (await flow(validate=validate)(fetch_later)()).return_value == 5
    assert Flow[Any]().setup(fetch).execute().return_value == (5, ["x"])


@pytest.mark.parametrize("validate", [True, False])
async def test_tasks_get_the_default_of_the_field(validate: bool) -> None:
    """A task of each kind, called, submitted, or made by hand, gets the default; a factory is asked at each call."""
    decorator = task(validate=validate)
    step, later, items = decorator(fetch), decorator(fetch_later), decorator(count_up)
    call: Any = step
    async with Flow[None]():
        assert call() == call(5) == (5, ["x"])
        assert await later() == 5
        assert list(items()) == [0, 1]
        assert await submit(call) == (5, ["x"])
        assert Task(step).execute_sync() == (5, ["x"])


def test_the_constraints_of_the_field_are_checked() -> None:
    """`gt=0` refuses -1 in a flow and in a task that validates, beside what the annotation says."""

    @flow
    def narrow(size: Annotated[int, Field(lt=9)] = Field(default=5, gt=0)) -> int:
        return size

    bads: list[Any] = [-1, 9, "x"]
    for bad in bads:
        with pytest.raises(ParameterError, match="'size'"):
            narrow(bad)
    with Flow[None](), pytest.raises(ParameterError, match="'size'"):
        task(validate=True)(fetch)(-1)
    assert narrow(TEXT).execute().return_value == 5


@pytest.mark.parametrize("validate", [True, False])
def test_a_required_field_is_a_required_argument(validate: bool) -> None:
    """A field without default is a `TypeError` where it is left out, in flows and tasks."""

    def wants(size: int = Field(gt=0), more: int = Field(...)) -> int:
        return size + more

    with pytest.raises(TypeError, match="missing a required argument: 'more'"):
        flow(validate=validate)(wants)(1)
    with Flow[None]():
        with pytest.raises(TypeError, match="missing a required argument: 'size'"):
            task(validate=validate)(wants)()
        assert task(validate=validate)(wants)(1, more=2) == 3


def test_a_default_is_checked_if_the_field_wants_that() -> None:
    """`validate_default=True` coerces the default of a flow and of a task that validates, and refuses a bad one."""

    def coerced(size: int = Field(default=TEXT, validate_default=True)) -> int:
        return size

    def refused(size: int = Field(default="many", validate_default=True)) -> int:
        return size

    assert flow(coerced)().execute().return_value == 5
    with pytest.raises(ParameterError, match="'size'"):
        flow(refused)()
    with Flow[None]():
        assert task(validate=True)(coerced)() == 5
        with pytest.raises(ParameterError, match="'size'"):
            task(validate=True)(refused)()


@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("alias", [{"alias": "Size"}, {"validation_alias": AliasChoices("Size", "S")}], ids=str)
def test_an_alias_is_another_name_of_the_argument(validate: bool, alias: dict[str, Any]) -> None:
    """A keyword argument may have the name of the parameter or of the alias, but not both."""

    def sized(size: int = Field(default=1, **alias)) -> int:
        return size

    planned: Any = flow(validate=validate)(sized)
    step: Any = task(validate=validate)(sized)
    assert [planned(**given).execute().return_value for given in ({"Size": 2}, {"size": 3}, {})] == [2, 3, 1]
    with pytest.raises(TypeError, match="another name of the same parameter"):
        planned(size=1, Size=2)
    with Flow[None]():
        assert [step(Size=2), step(size=3), step(4)] == [2, 3, 4]


def test_an_alias_that_is_a_path_is_refused() -> None:
    """An argument has no parts to look into, so a path is a `DefinitionError` at decoration."""

    def sized(size: int = Field(default=1, validation_alias=AliasPath("a", 0))) -> int:
        return size

    with pytest.raises(DefinitionError, match="'size'"):
        flow(sized)
    with pytest.raises(DefinitionError, match="'size'"):
        task(sized)


def test_what_is_provided_goes_before_the_default() -> None:
    """`provide()` fills a parameter with a field as it does any other, also after the setup and in subclasses."""

    class Hooked(Flow[Any]):
        def task_dependencies(self) -> dict[str, Any]:
            return {"size": 8}

    made = flow(fetch)().provide(size=7).execute()
    assert made.return_value == (7, ["x"])
    assert "size" not in made.flow_run.params
    assert Hooked().setup(fetch).execute().return_value == (8, ["x"])
    with Flow[None]().provide(size=6):
        assert task(fetch)() == (6, ["x"])


def test_providers_get_the_default_of_the_field() -> None:
    """A provider with a field for a default gets what that holds; one with a required field is refused."""

    def port(number: int = Field(default=80)) -> int:
        return number

    def bad(number: int = Field(gt=0)) -> int:
        return number

    @flow
    def connect(port: int = Inject(port)) -> int:
        return port

    assert connect().execute().return_value == 80
    with pytest.raises(InjectionError, match="'number'"):

        @flow
        def refused(port: int = Inject(bad)) -> int:
            return port


def test_a_factory_may_take_the_arguments_before_it() -> None:
    """A default factory with a parameter gets the arguments that are known, as in a model."""

    @flow
    def doubled(size: int, twice: int = Field(default_factory=lambda known: known["size"] * 2)) -> int:
        return twice

    assert doubled(TEXT).execute().return_value == 10


Size = Annotated[int, Field(default=7, gt=0)]


def sized(
    size: Size, /, more: Annotated[list[str], "x", Field(default_factory=list)], *, last: Size
) -> tuple[int, list[str], int]:
    return size, more, last


async def sized_later(size: Annotated[int, Field(default=7), Field(gt=0)]) -> int:
    return size


def count_sized(size: Size) -> Iterator[int]:
    yield size


@pytest.mark.parametrize("validate", [True, False])
async def test_the_default_of_an_annotated_field_is_a_default(validate: bool) -> None:
    """Flows and tasks of each kind get it, and the record shows it."""
    work: Any = flow(validate=validate)(sized)
    assert work().flow_run.params == {"size": 7, "more": [], "last": 7}
    assert work().execute().return_value == (7, [], 7)
    assert work(1, ["a"], last=2).execute().return_value == (1, ["a"], 2)
    later: Any = flow(validate=validate)(sized_later)
    assert (await later()).return_value == 7
    step, step_later, items = (task(validate=validate)(each) for each in (sized, sized_later, count_sized))
    calls: list[Any] = [step, step_later, items]
    async with Flow[None]():
        assert calls[0]() == (7, [], 7)
        assert await calls[1]() == 7
        assert list(calls[2]()) == [7]
        assert await submit(calls[0]) == (7, [], 7)


def test_an_annotated_field_is_checked_and_yields_to_a_default_in_the_signature() -> None:
    """Its constraints hold, and the default of Python goes before that of the field, as in Pydantic."""

    def work(size: Size, other: Size = 3) -> tuple[int, int]:
        return size, other

    made: Any = flow(work)
    assert made().execute().return_value == (7, 3)
    with pytest.raises(ParameterError, match="greater than 0"):
        made(0)


def test_an_annotated_field_without_a_default_is_required() -> None:
    """Constraints alone leave an argument missing."""

    def work(size: Annotated[int, Field(gt=0)]) -> int:
        return size

    made: Any = flow(work)
    with pytest.raises(TypeError, match="missing a required argument: 'size'"):
        made()


def test_a_missing_argument_before_a_field_is_missing() -> None:
    """A task whose parameters have no names for callers takes nothing in the place of what is missing."""

    def positional(first: object, second: int = Field(default=7), /) -> Any:
        return first, second

    def annotated(first: object, second: Size, /) -> Any:
        return first, second

    for function in positional, annotated:
        step: Any = task(function)
        with Flow[None](), pytest.raises(TypeError, match="missing a required argument: 'first'"):
            step()


def test_an_alias_in_an_annotation_is_another_name() -> None:
    """It names the argument, with and without a default."""

    def work(size: Annotated[int, Field(alias="n")], other: Annotated[int, Field(default=7, alias="m")]) -> Any:
        return size, other

    made: Any = flow(work)
    assert made(n=1).execute().return_value == (1, 7)
    assert made(n=1, m=2).execute().return_value == (1, 2)


def test_providers_get_the_default_of_an_annotated_field() -> None:
    """A provider whose parameters all have defaults needs nobody to fill them."""

    def provide(size: Size) -> int:
        return size

    def work(size: int = Inject(provide)) -> int:
        return size

    assert flow(work)().execute().return_value == 7
