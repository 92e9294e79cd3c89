"""What `@task` makes of a function, for mypy, for pyright and at runtime."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ParamSpec, Protocol, TypeVar

from typing_extensions import assert_type

from flowscope import Flow, task

P = ParamSpec("P")
T = TypeVar("T")
N = TypeVar("N", int, float)


@task
def bare(x: int, *, suffix: str = "") -> str:
    return f"{x}{suffix}"


@task()
def called(x: int, *, suffix: str = "") -> str:
    return f"{x}{suffix}"


@task
async def bare_async(x: int) -> str:
    return str(x)


@task()
async def called_async(x: int) -> str:
    return str(x)


@task(
    task_name="all options",
    raise_on_error=True,
    retries=2,
    retry_delay=0.0,
    retry_backoff=2.0,
    retry_jitter=0.1,
    retry_on=(ValueError, OSError),
    timeout=30,
    validate=True,
    tags=("a", "b"),
)
def with_options(x: int) -> str:
    return str(x)


@task(retry_on=ValueError, timeout=None, task_name=None, tags="quick")
async def with_other_options(x: int) -> str:
    return str(x)


@task(raise_on_error=False)
def tolerant(x: int) -> str:
    return str(x)


@task(raise_on_error=False, retries=1, retry_on=ValueError, tags="quick")
async def tolerant_async(x: int) -> str:
    return str(x)


@task(raise_on_error=True)
def strict(x: int) -> str:
    return str(x)


@task(raise_on_error=False)
def tolerant_procedure(x: int) -> None:
    assert x


def test_a_task_has_the_type_of_its_function() -> None:
    """Bare or called, with options or without, a task is called like its function and returns what it returns."""
    with Flow():
        assert assert_type(bare(1, suffix="!"), str) == "1!"
        assert assert_type(bare(x=1), str) == "1"
        assert assert_type(called(1, suffix="!"), str) == "1!"
        assert assert_type(with_options(1), str) == "1"
        assert assert_type(strict(1), str) == "1"


async def test_an_async_task_is_awaited() -> None:
    """An async task gives a coroutine of what its function returns."""
    with Flow():
        assert assert_type(await bare_async(1), str) == "1"
        assert assert_type(await called_async(1), str) == "1"
        assert assert_type(await with_other_options(1), str) == "1"


async def test_a_tolerant_task_may_return_none() -> None:
    """With `raise_on_error=False` the type says that there may be no value."""
    with Flow():
        assert assert_type(tolerant(1), str | None) == "1"
        assert assert_type(await tolerant_async(1), str | None) == "1"
        tolerant_procedure(1)


def test_whether_a_task_is_tolerant_may_be_decided_at_runtime() -> None:
    """Where `raise_on_error` is a `bool`, the type allows for both."""
    careful = bool(bare.__name__)

    @task(raise_on_error=careful)
    def either(x: int) -> str:
        return str(x)

    with Flow():
        assert assert_type(either(1), str | None) == "1"


async def test_asyncio_keeps_the_types_of_tasks() -> None:
    """Coroutines of tasks go through `gather`, `create_task`, `TaskGroup`, `wait_for` and `to_thread` with their types."""
    with Flow():
        one, two = assert_type(await asyncio.gather(bare_async(1), tolerant_async(2)), tuple[str, str | None])
        assert (one, two) == ("1", "2")
        assert assert_type(await asyncio.create_task(bare_async(1)), str) == "1"
        assert assert_type(await asyncio.wait_for(bare_async(1), 30), str) == "1"
        assert assert_type(await asyncio.to_thread(bare, 1, suffix="!"), str) == "1!"
        async with asyncio.TaskGroup() as group:
            started = assert_type(group.create_task(bare_async(1)), asyncio.Task[str])
        assert started.result() == "1"


def test_a_task_goes_wherever_its_function_goes() -> None:
    """A task is accepted as a callable of its function's type, and as a protocol with its parameter names."""

    class Formatter(Protocol):
        def __call__(self, x: int, *, suffix: str = ...) -> str: ...

    formatter: Formatter = bare
    positional: Callable[[int], str] = called
    maybe: Callable[[int], str | None] = tolerant
    awaitable: Callable[[int], Awaitable[str]] = bare_async
    with Flow():
        assert formatter(x=1, suffix="!") == "1!"
        assert list(map(positional, [1, 2])) == ["1", "2"]
        assert maybe(1) == "1"
    assert awaitable is bare_async


def test_a_generic_task_stays_generic() -> None:
    """Type variables of the function are solved at each call, also in a tolerant task."""

    @task
    def first(items: Sequence[T]) -> T:
        return items[0]

    @task
    def double(number: N) -> N:
        return number * 2

    @task(raise_on_error=False)
    def find(items: Mapping[str, T], key: str) -> list[T]:
        return [items[key]]

    with Flow():
        assert assert_type(first([1, 2]), int) == 1
        assert assert_type(first("ab"), str) == "a"
        assert assert_type(double(1.5), float) == 3.0
        assert assert_type(find({"a": 1}, "a"), list[int] | None) == [1]
        assert assert_type(find({"a": 1}, "b"), list[int] | None) is None


def test_every_kind_of_parameter_is_kept() -> None:
    """Positional-only, keyword-only and collecting parameters, and defaults, are those of the function."""

    @task
    def collect(first: int, /, second: str = "b", *rest: float, flag: bool, **named: bytes) -> int:
        return first + len(second) + len(rest) + flag + len(named)

    with Flow():
        assert assert_type(collect(1, flag=True), int) == 3
        assert assert_type(collect(1, "bb", 1.0, 2.0, flag=False, x=b""), int) == 6


def test_a_task_takes_the_parameters_of_another_function() -> None:
    """A decorator of the user's own, above or below `@task`, keeps its types."""

    def shout(function: Callable[P, str]) -> Callable[P, str]:
        def inner(*args: P.args, **kwargs: P.kwargs) -> str:
            return function(*args, **kwargs).upper()

        return inner

    @shout
    @task
    def above(word: str, times: int = 1) -> str:
        return word * times

    @task(task_name="below")
    @shout
    def below(word: str, times: int = 1) -> str:
        return word * times

    with Flow():
        assert assert_type(above("a", times=2), str) == "AA"
        assert assert_type(below("a", times=2), str) == "AA"
