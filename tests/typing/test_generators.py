"""Generator tasks keep the types of what they yield, take and return."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator

from typing_extensions import assert_type

from flowscope import Flow, flow, task


@task
def numbers(count: int) -> Iterator[int]:
    yield from range(count)


@task()
def words(count: int) -> Iterable[str]:
    for number in range(count):
        yield str(number)


@task
def running_total() -> Generator[int, int, str]:
    total = 0
    while (number := (yield total)) >= 0:
        total += number
    return f"total {total}"


@task
async def numbers_async(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


@task(task_name="words")
async def words_async(count: int) -> AsyncIterable[str]:
    for number in range(count):
        yield str(number)


@task
async def echo() -> AsyncGenerator[str, int]:
    number = yield "ready"
    while True:
        number = yield str(number)


@task(raise_on_error=False)
def tolerant_numbers(count: int) -> Iterator[int]:
    yield from range(count)


@task(raise_on_error=False, task_name="words")
def tolerant_words(count: int) -> Iterable[str]:
    yield from map(str, range(count))


@task(raise_on_error=False)
def tolerant_total() -> Generator[int, int, str]:
    return f"total {(yield 0)}"


@task(raise_on_error=False)
async def tolerant_numbers_async(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


@task(raise_on_error=False)
async def tolerant_echo() -> AsyncGenerator[str, int]:
    while True:
        yield "ready"


class Reader:
    """A class with generator methods."""

    @task
    def lines(self, text: str) -> Iterator[str]:
        yield from text.splitlines()

    @task
    async def lines_async(self, text: str) -> AsyncIterator[str]:
        for line in text.splitlines():
            yield line


def test_items_have_their_type() -> None:
    """Iterating over a generator task gives what its function yields."""
    with Flow():
        for number in numbers(1):
            assert assert_type(number, int) == 0
        for word in words(1):
            assert assert_type(word, str) == "0"
        assert assert_type(list(Reader().lines("a\nb")), list[str]) == ["a", "b"]


def test_send_and_return_values_have_their_types() -> None:
    """A `Generator[Y, S, R]` stays one: `send` and `yield from` are typed."""

    def delegate() -> Generator[int, int, str]:
        return assert_type((yield from running_total()), str)

    with Flow():
        total = assert_type(running_total(), Generator[int, int, str])
        assert assert_type(next(total), int) == 0
        assert assert_type(total.send(3), int) == 3
        total.close()
        delegated = delegate()
        assert next(delegated) == 0
        assert delegated.send(2) == 2
        delegated.close()


async def test_a_tolerant_generator_has_the_type_of_its_function() -> None:
    """`raise_on_error=False` changes the type of no generator: a call gives one in any case, never None."""
    with Flow():
        assert list(assert_type(tolerant_numbers(2), Iterator[int])) == [0, 1]
        assert next(assert_type(tolerant_total(), Generator[int, int, str])) == 0
        assert [number async for number in assert_type(tolerant_numbers_async(2), AsyncIterator[int])] == [0, 1]
        assert await anext(assert_type(tolerant_echo(), AsyncGenerator[str, int])) == "ready"


def test_a_tolerant_generator_is_annotated_as_an_iterator() -> None:
    """`-> Iterable[Y]` may also be a list, of which there is none after an error: the type says that it may be None."""
    with Flow():
        assert list(assert_type(tolerant_words(2), Iterable[str] | None) or ()) == ["0", "1"]


async def test_async_items_have_their_type() -> None:
    """Iterating over an async generator task gives what its function yields."""
    with Flow():
        async for number in numbers_async(1):
            assert assert_type(number, int) == 0
        async for word in words_async(1):
            assert assert_type(word, str) == "0"
        assert assert_type([line async for line in Reader().lines_async("a\nb")], list[str]) == ["a", "b"]


async def test_async_send_values_have_their_types() -> None:
    """An `AsyncGenerator[Y, S]` stays one: `asend` is typed."""
    with Flow():
        echoing = assert_type(echo(), AsyncGenerator[str, int])
        assert assert_type(await anext(echoing), str) == "ready"
        assert assert_type(await echoing.asend(1), str) == "1"
        await echoing.aclose()


def test_a_flow_may_consume_them() -> None:
    """The type of a flow follows from what it makes of the items."""

    @flow
    def total(count: int) -> int:
        return sum(numbers(count))

    assert assert_type(total(4).execute().return_value, int) == 6
