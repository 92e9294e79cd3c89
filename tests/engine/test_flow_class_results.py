"""Class-style flows: `run` returns what the class says, and names of parameters are free."""

from collections.abc import Awaitable, Iterable
from typing import Any, Generic, Literal, TypeVar

import pytest
from pydantic import BaseModel

from flowscope import DefinitionError, Flow, flow

T = TypeVar("T")


class Order(BaseModel):
    number: int


class Big(Order):
    pass


class Based(Flow[T], Generic[T]):
    """A generic base of one's own."""


def declare(base: Any, annotation: Any, name: str = "run", *, later: bool = False) -> type[Flow[Any]]:
    """A subclass of a flow whose method has that return annotation."""

    def sync_run(self: Any) -> Any: ...

    async def async_run(self: Any) -> Any: ...

    run = async_run if later else sync_run
    run.__annotations__["return"] = annotation
    kind: type[Flow[Any]] = type(base)("Ingest", (base,), {name: run, "__module__": __name__})
    return kind


CONTRADICTIONS: list[tuple[Any, Any]] = [
    (int, str),
    (int, None),
    (int, int | None),
    (int, "str"),
    (str, Literal[1]),
    (list[int], list[str]),
    (dict[str, int], list[int]),
    (Big, Order),
    (int, float),
    (None, int),
]


@pytest.mark.parametrize(("result", "annotation"), CONTRADICTIONS, ids=str)
@pytest.mark.parametrize("name", ["run", "main"])
@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
def test_a_method_that_contradicts_the_class_is_refused(result: Any, annotation: Any, name: str, later: bool) -> None:
    """The class is a `DefinitionError` when it is declared, through a base of one's own too."""
    for base in (Flow[result], Based[result]):
        with pytest.raises(DefinitionError, match=rf"'Ingest': {name}\(\) returns .*, and the class is a Flow\["):
            declare(base, annotation, name, later=later)


AGREEMENTS: list[tuple[Any, Any]] = [
    (int, int),
    (int, bool),
    (float, int),
    (int | None, int),
    (int | None, None),
    (Any, str),
    (int, Any),
    (object, str),
    (str, Literal["a"]),
    (Order, Big),
    (list[int], list[int]),
    (Iterable[int], list[int]),
    (tuple[int, ...], tuple[int, int]),
    (int, Awaitable[int]),
    (int, "NotDefinedYet"),
    (T, int),
]


@pytest.mark.parametrize(("result", "annotation"), AGREEMENTS, ids=str)
def test_a_method_that_may_agree_is_taken(result: Any, annotation: Any) -> None:
    """A narrower type, an unknown one, and an awaitable of the type are no contradictions."""
    declare(Flow[result], annotation)
    declare(Flow, annotation)


def test_parameters_of_a_target_may_have_any_name() -> None:
    """A function with parameters called `target` and `self` is set up by keyword, and both names are provided."""

    def both(target: int, self: int) -> tuple[int, int]:
        return target, self

    assert Flow[Any]().setup(both, target=1, self=2).execute().return_value == (1, 2)

    @flow
    def provided(self: int = 0, target: int = 0) -> tuple[int, int]:
        return self, target

    assert provided().provide(self=3, target=4).execute().return_value == (3, 4)
