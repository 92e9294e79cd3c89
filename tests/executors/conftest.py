"""The executors that the conformance suite is run over, and how it runs a scenario.

An executor of your own is run through the suite by naming what makes one, a class or a function without arguments:

    pytest tests/executors --executor package.module:factory

Then only the tests of the conformance suite run, and over that executor alone. Its factory is called once for most
tests, and again where a test closes an executor. A `remote` executor needs `tests` on the path of its processes, for
the tasks are those of `support.executors.tasks`.
"""

import multiprocessing
import os
import pkgutil
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import pytest

from flowscope import AsyncioExecutor, Executor, Flow, FlowConfig, ProcessExecutor, ThreadExecutor, use_executor
from support.executors.gate import Gate
from support.executors.scenarios import Here, stepped
from support.executors.task_forms import ASYNC, SYNC, Tasks
from support.executors.third_party import ThreadPerCall

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")

HERE: Final = Path(__file__).parent
SLOW: Final = {"spawn": [pytest.mark.slow]}
"""Where whatever starts a worker process is slow: it imports all anew."""
FACTORIES: Final[dict[str, Callable[[], Executor]]] = {
    "asyncio": AsyncioExecutor,
    "thread": partial(ThreadExecutor, 4),
    "third party": ThreadPerCall,
    **{
        method: partial(ProcessExecutor, 2, start_method=method)
        for method in ("forkserver", "spawn")
        if method in multiprocessing.get_all_start_methods()
    },
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the executor that is to be run through the suite."""
    parser.addoption(
        "--executor", metavar="package.module:factory", help="run the conformance suite over this executor"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the conformance suite over every executor, or the one that was asked for."""
    if "factory" in metafunc.fixturenames:
        wanted: str | None = metafunc.config.getoption("--executor", None)
        factories = FACTORIES if wanted is None else {wanted: pkgutil.resolve_name(wanted)}
        params = [pytest.param(factory, id=name, marks=SLOW.get(name, ())) for name, factory in factories.items()]
        metafunc.parametrize("factory", params)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what has nothing to do with the executor that was asked for, and what it may need."""
    other = collection_path.parent == HERE and not collection_path.name.startswith("test_conformance_")
    return True if other and config.getoption("--executor", None) is not None else None


class Lender(Protocol):
    """Lends an executor that is made once."""

    def __call__(self, factory: Callable[[], Executor]) -> Executor: ...


@pytest.fixture(scope="session")
def lender() -> Iterator[Lender]:
    """The executors that tests share: to start worker processes takes longer than most tests."""
    made: dict[Callable[[], Executor], Executor] = {}

    def lend(factory: Callable[[], Executor]) -> Executor:
        if factory not in made:
            made[factory] = factory()
        return made[factory]

    yield lend
    for executor in made.values():
        executor.close()


@pytest.fixture
def executor(factory: Callable[[], Executor], lender: Lender) -> Executor:
    """The executor under test; other tests have used it before, and will."""
    return lender(factory)


@pytest.fixture
def own_executor(factory: Callable[[], Executor]) -> Iterator[Executor]:
    """An executor like the one under test that no other test uses."""
    with factory() as made:
        yield made


@pytest.fixture(params=["sync tasks", "async tasks"])
def tasks(request: pytest.FixtureRequest) -> Tasks:
    """The tasks that are submitted."""
    return SYNC if request.param == "sync tasks" else ASYNC


@pytest.fixture(params=["sync flow", "async flow"])
def here(request: pytest.FixtureRequest) -> Here:
    """How a scenario waits."""
    return Here(awaits=request.param == "async flow")


class Perform(Protocol):
    """Runs a scenario as a flow that submits to the executor under test."""

    def __call__(self, scenario: Callable[[], Awaitable[R]], /, **options: Any) -> Flow[R]: ...


@pytest.fixture
def perform(executor: Executor, here: Here) -> Perform:
    """Runs a scenario as a flow, sync or async."""
    return partial(perform_on, executor, here)


def perform_on(executor: Executor, here: Here, scenario: Callable[[], Awaitable[R]], /, **options: Any) -> Flow[R]:
    """Run a scenario as a flow that submits to that executor; options are those of `FlowConfig`, and `provide`."""

    async def awaited() -> R:
        return await scenario()

    def called() -> R:
        return stepped(scenario())

    made = Flow[R](flow_name="scenario", flow_config=FlowConfig(**options))
    with use_executor(executor):
        return made.setup(awaited if here.awaits else called).execute()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Where tasks wait for the test."""
    with Gate() as made:
        yield made


@pytest.fixture
def tests_on_path() -> dict[str, str]:
    """The environment of a process that can import what is here, as `executors`."""
    path = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}


@pytest.fixture(
    params=[pytest.param(name, marks=SLOW.get(name, ())) for name in ("forkserver", "spawn") if name in FACTORIES]
)
def workers(request: pytest.FixtureRequest, lender: Lender) -> Executor:
    """Two worker processes, of either start method; other tests have used them before, and will."""
    return lender(FACTORIES[request.param])


@pytest.fixture
def worker() -> Iterator[ProcessExecutor]:
    """One worker process that no other test uses; the start methods only differ in how it starts, which others test."""
    with ProcessExecutor(1) as made:
        yield made
