"""`Inject(provider)`: values made for each call, and closed again in reverse order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    DefinitionError,
    Flow,
    Inject,
    InjectionError,
    Task,
    current_task,
    flow,
    task,
)

LOG: list[str] = []


@pytest.fixture(autouse=True)
def empty_log() -> None:
    """Forget what other tests have opened."""
    LOG.clear()


def resource(name: str) -> Callable[[], Iterator[str]]:
    """A provider that writes down its life."""

    def provide() -> Iterator[str]:
        LOG.append(f"open {name}")
        try:
            yield name
        except BaseException as error:
            LOG.append(f"{name} saw {error!r}")
            raise
        finally:
            LOG.append(f"close {name}")

    return provide


def resource_later(name: str) -> Callable[[], AsyncIterator[str]]:
    """An async provider that writes down its life."""

    async def provide() -> AsyncIterator[str]:
        await asyncio.sleep(0)
        LOG.append(f"open {name}")
        try:
            yield name
        except BaseException as error:
            LOG.append(f"{name} saw {error!r}")
            raise
        finally:
            await asyncio.sleep(0)
            LOG.append(f"close {name}")

    return provide


def plain() -> str:
    return "plain"


async def plain_later() -> str:
    await asyncio.sleep(0)
    return "plain later"


def test_a_sync_task_takes_sync_providers() -> None:
    """A function's result, or what a generator yields, is the value; the generator is closed after the call."""

    @task
    def work(a: str = Inject(plain), b: str = Inject(resource("b"))) -> tuple[str, str]:
        LOG.append("work")
        return a, b

    with Flow[None]():
        assert work() == ("plain", "b")
    assert LOG == ["open b", "work", "close b"]


async def test_an_async_task_takes_providers_of_all_kinds() -> None:
    """All four kinds are opened in the order of the parameters, and closed in reverse order after the call."""

    @task
    async def work(
        a: str = Inject(plain),
        b: str = Inject(resource("b")),
        c: str = Inject(plain_later),
        d: str = Inject(resource_later("d")),
        *,
        e: str = Inject(resource("e")),
    ) -> list[str]:
        LOG.append("work")
        return [a, b, c, d, e]

    async with Flow[None]():
        assert await work() == ["plain", "b", "plain later", "d", "e"]
    assert LOG == ["open b", "open d", "open e", "work", "close e", "close d", "close b"]


async def test_flow_functions_take_providers_too() -> None:
    """Providers of a flow function are open during its run; they are no params."""

    @flow
    def sync_run(x: int, a: str = Inject(resource("a"))) -> str:
        LOG.append("run")
        return a

    @flow
    async def async_run(b: str = Inject(resource_later("b")), a: str = Inject(plain)) -> str:
        LOG.append("run")
        return b + a

    made = sync_run(1).execute()
    assert (made.return_value, made.flow_run.params) == ("a", {"x": 1})
    assert (await async_run()).return_value == "bplain"
    assert LOG == ["open a", "run", "close a", "open b", "run", "close b"]


def test_every_call_has_values_of_its_own() -> None:
    """Without `scope` each call opens its providers anew, even two parameters with one provider."""

    @task
    def work(a: str = Inject(resource("r")), b: str = Inject(resource("r"))) -> None: ...

    with Flow[None]():
        work()
        work()
    assert LOG.count("open r") == LOG.count("close r") == 4


def test_an_explicit_or_provided_value_opens_nothing() -> None:
    """A given argument, and a value that the flow provides, spare the provider."""

    @task
    def work(a: str = Inject(resource("a"))) -> str:
        return a

    with Flow[None]().provide(a="provided") as made:
        assert work("given") == "given"
        assert work(a="named") == "named"
        assert work() == "provided"
    assert LOG == []
    assert [t.input_args for t in made.flow_run.tasks] == [["given"], [], []]
    assert [t.input_kwargs for t in made.flow_run.tasks] == [{}, {"a": "named"}, {}]


def test_providers_nest_and_are_injected_themselves() -> None:
    """A provider's own parameters are filled: by other providers, by name, by type, and by the flow's `provide`."""

    def connection(url: str = INJECTED, this_flow: Any = INJECTED) -> Iterator[str]:
        LOG.append("open connection")
        yield f"{url}/{this_flow.flow_name}"
        LOG.append("close connection")

    def cursor(used: str = Inject(connection), call: Task = INJECTED) -> Iterator[str]:
        LOG.append("open cursor")
        yield f"{used}/{call.task_name}"
        LOG.append("close cursor")

    @task
    def query(rows: str = Inject(cursor)) -> str:
        return rows

    with Flow[None](flow_name="f").provide(url="db"):
        assert query() == "db/f/query"
    assert LOG == ["open connection", "open cursor", "close cursor", "close connection"]


def test_a_providers_code_runs_inside_the_call() -> None:
    """While a provider opens and closes, the task is current, and what it says is recorded under it."""

    def talking() -> Iterator[None]:
        current_task().log_info("opening")
        yield
        current_task().log_info("closing")

    @task
    def work(a: None = Inject(talking)) -> None: ...

    with Flow[None]() as made:
        work()
    task_id = made.flow_run.tasks[0].task_id
    assert [(e.message, e.task_id) for e in made.flow_run.logs] == [("opening", task_id), ("closing", task_id)]


def test_an_async_provider_in_a_sync_function_is_refused_at_decoration() -> None:
    """Wiring that cannot work is an `InjectionError` where the function is decorated or set up, also deep down."""

    def cursor(used: str = Inject(resource_later("r"))) -> str:
        return used

    for provider in (plain_later, resource_later("r"), cursor):

        def work(a: Any = Inject(provider)) -> None: ...

        for decorate in (task, flow, Flow[None]().setup):
            with pytest.raises(InjectionError, match="async"):
                decorate(work)


def test_a_provider_that_needs_arguments_is_refused_at_decoration() -> None:
    """A provider with a parameter that nothing can fill is refused where it is used."""

    def needs(x: int) -> int:
        return x

    def work(a: int = Inject(needs)) -> None: ...

    with pytest.raises(InjectionError, match="'x'"):
        task(work)


def test_a_marker_that_cannot_work_is_refused_when_it_is_made() -> None:
    """A provider that cannot be called, and an unknown scope, are refused where `Inject` is called."""
    inject: Any = Inject
    with pytest.raises(DefinitionError):
        inject(5)
    with pytest.raises(InjectionError, match="scope"):
        inject(plain, scope="session")


def test_positional_only_parameters_take_providers() -> None:
    """A provider fills a positional-only parameter as well, and an argument given there spares it."""

    @task
    def work(x: int, a: str = Inject(plain), /, b: str = "b") -> tuple[int, str, str]:
        return x, a, b

    with Flow[None]():
        assert work(1) == (1, "plain", "b")
        assert work(1, "given") == (1, "given", "b")


def test_methods_and_callable_objects_are_providers() -> None:
    """A bound method and a callable object can be providers."""

    class Pool:
        def __init__(self) -> None:
            self.size = 3

        def take(self) -> int:
            return self.size

        def __call__(self) -> int:
            return -self.size

    pool = Pool()

    @task
    def work(a: int = Inject(pool.take), b: int = Inject(pool)) -> tuple[int, int]:
        return a, b

    with Flow[None]():
        assert work() == (3, -3)
