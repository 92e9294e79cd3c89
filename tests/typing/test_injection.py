"""`INJECTED` and `Inject(provider)` as typed defaults: callers may leave them out, or give a value of the type."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any

from typing_extensions import assert_type

from flowscope import INJECTED, Flow, Inject, Task, flow, task


class Connection:
    """Something that is injected."""

    def fetch(self) -> int:
        return 1


def connect() -> Connection:
    return Connection()


async def connect_async() -> Connection:
    return Connection()


def connected() -> Iterator[Connection]:
    yield Connection()


def connected_generator() -> Generator[Connection, None, None]:
    yield Connection()


async def connected_async() -> AsyncIterator[Connection]:
    yield Connection()


async def connected_async_generator() -> AsyncGenerator[Connection, None]:
    yield Connection()


def test_a_marker_has_the_type_of_what_is_provided() -> None:
    """`Inject` is typed by what its provider returns, or yields, whatever kind of function that is."""
    assert_type(Inject(connect), Connection)
    assert_type(Inject(Connection().fetch), int)
    assert_type(Inject(connect_async), Connection)
    assert_type(Inject(connected), Connection)
    assert_type(Inject(connected_generator), Connection)
    assert_type(Inject(connected_async), Connection)
    assert_type(Inject(connected_async_generator), Connection)
    assert_type(Inject(connect, scope="call"), Connection)
    assert_type(Inject(connect, scope="flow"), Connection)
    assert_type(Inject(lambda: 1.5), float)


def test_injected_parameters_may_be_left_out() -> None:
    """`INJECTED` is a default of every type, so that a strict call gives the other arguments alone."""

    @task
    def step(
        number: int,
        flow_data: dict[str, Any] = INJECTED,
        this_task: Task = INJECTED,
        connection: Connection = Inject(connect),
    ) -> int:
        flow_data["seen"] = assert_type(this_task, Task).task_name
        return number + assert_type(connection, Connection).fetch()

    @flow
    def work(number: int, this_flow: Flow[Any] = INJECTED, unit: str = INJECTED) -> str:
        assert assert_type(step(number), int) == number + 1
        assert assert_type(step(number, connection=Connection()), int) == number + 1
        return f"{this_flow.flow_name} {unit}"

    run = assert_type(work(1).provide(unit="m"), Flow[str]).execute()
    assert assert_type(run.return_value, str) == "work m"
    assert run.flow_data == {"seen": "step"}
    assert assert_type(work(1, unit="s").execute().return_value, str) == "work s"


async def test_async_providers_are_typed() -> None:
    """An async task takes what async functions and generators provide."""

    @task
    async def step(
        number: int,
        one: Connection = Inject(connect_async),
        two: Connection = Inject(connected_async),
        shared: Connection = Inject(connected_async_generator, scope="flow"),
    ) -> int:
        return number + one.fetch() + two.fetch() + shared.fetch()

    @flow
    async def work(first: int = Inject(Connection().fetch)) -> int:
        return await step(first)

    assert assert_type((await work()).return_value, int) == 4
    assert assert_type((await work(2)).return_value, int) == 5


def test_injection_by_type_is_typed() -> None:
    """A parameter annotated with `Flow`, `Task` or a subclass of `Flow` is what its annotation says."""

    class Ingest(Flow[int]):
        url: str = "https://example.org"

        def run(self) -> int:
            return step()

    @task
    def step(owner: Ingest = INJECTED, me: Task = INJECTED) -> int:
        assert assert_type(owner.url, str) == "https://example.org"
        return assert_type(me.attempt, int)

    assert assert_type(Ingest().execute().return_value, int) == 1
