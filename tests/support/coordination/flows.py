"""The flows that the tests coordinate, where worker processes can import them."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from flowscope import INJECTED, Flow, FlowConfig, current_flow, flow, task
from flowscope.coordination import FlowCoordinator


class Trace:
    """What happened, in order, from any thread."""

    def __init__(self) -> None:
        self.happened: list[str] = []

    def note(self, what: str) -> None:
        """Add something."""
        self.happened.append(what)


class Gate:
    """A place where flows of threads wait until they are let through."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def wait(self, value: object = None) -> object:
        """Say that it is reached, wait until it is opened, and return the value."""
        self.reached.set()
        assert self.opened.wait(30)
        return value

    async def until_reached(self) -> None:
        """Wait, in an event loop, until somebody waits here."""
        await asyncio.to_thread(self.reached.wait, 30)


def named(name: str, function: Callable[..., Any], *args: Any, **options: Any) -> Flow[Any]:
    """A flow whose id and name are given."""
    return Flow[Any](flow_id=name, flow_name=name, **options).setup(function, *args)


def noop() -> None:
    """Do nothing."""


def boom() -> None:
    """Fail."""
    raise ValueError("boom")


def outputs(upstream: Mapping[str, Any] = INJECTED) -> dict[str, Any]:
    """Return what the dependencies have made."""
    return dict(upstream)


def returning(value: object) -> Callable[[], object]:
    """What returns that very object."""
    return partial(_same, value)


def _same(value: object) -> object:
    return value


def taking(x: object = None, y: object = None) -> object:
    """Return the first of two parameters."""
    return x


async def forever() -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()


def tracing(trace: Trace, *names: str) -> list[Flow[Any]]:
    """Flows that note their names."""
    return [named(name, partial(trace.note, name)) for name in names]


def register_all(coordinator: FlowCoordinator, *flows: Flow[Any], **options: Any) -> list[str]:
    """Register flows with the same options."""
    return [coordinator.register_flow(one, **options) for one in flows]


@task
def double(number: int) -> int:
    """A task that prints."""
    print("doubling", number)
    return number * 2


@flow
def work(number: int, upstream: Mapping[str, Any] = INJECTED) -> dict[str, Any]:
    """A flow with a task, which tells its process."""
    current_flow().log_info("working")
    return {"pid": os.getpid(), "doubled": double(number), "upstream": dict(upstream)}


@flow
async def work_async(number: int) -> int:
    """An async flow with a task."""
    await asyncio.sleep(0)
    return double(number)


class Summing(Flow[int]):
    """A flow as a class."""

    start: int

    def run(self, upstream: Mapping[str, int] = INJECTED) -> int:
        """Add up."""
        self.log_info("summing")
        return self.start + sum(upstream.values())


class Marked(FlowConfig):
    """A config with a field more."""

    mark: str = "none"


@flow(flow_config=Marked(mark="mine"), tags=("nightly",), flow_name="tagged")
def configured(number: int) -> int:
    """A flow with options."""
    return number


@flow(validate=False)
def unchecked(number: int) -> object:
    """A flow that takes anything."""
    return number


@flow
def adding(number: int, addend: int = INJECTED) -> int:
    """A flow with a parameter for another's output."""
    return number + addend


@flow
def failing() -> None:
    """A flow that fails after a task."""
    double(1)
    raise LookupError("nothing there")


@flow
def dying() -> None:
    """A flow whose process ends."""
    os._exit(3)


@flow
def leaving() -> None:
    """A flow that wants to end the interpreter."""
    raise SystemExit(4)


@flow
async def leaving_async() -> None:
    """An async one."""
    raise SystemExit(4)


def leave(code: int) -> None:
    """A function that wants to end the interpreter."""
    raise SystemExit(code)


async def leave_async(code: int) -> None:
    """An async one."""
    raise SystemExit(code)


class Leaves:
    """An object that ends the interpreter in which it is made again."""

    def __reduce__(self) -> tuple[object, ...]:
        return leave, (4,)


@flow
def hanging(started: str) -> None:
    """A flow that says, in a file that it keeps open, that it runs, and then never ends."""
    hanging_in(started)


@flow
def failing_until(counter: str, wanted: int) -> int:
    """A flow that counts its executions in a file, and fails before it has had that many."""
    with Path(counter).open("a", encoding="utf-8") as file:
        file.write("x")
    found = Path(counter).stat().st_size
    if found < wanted:
        raise ValueError(f"only {found}")
    return found


@flow
def keeping() -> str:
    """A flow with an artifact that cannot travel."""
    current_flow().add_flow_artifact("a lock", "lock", threading.Lock())
    return "kept"


def make_lock() -> object:
    """A value that cannot travel."""
    return threading.Lock()


@flow
def returning_lock() -> object:
    """A flow whose value cannot travel."""
    return make_lock()


@flow
def given(value: object = None, db: object = None) -> str:
    """A flow that takes anything."""
    return type(value).__name__


@flow
def sharing() -> dict[str, Any]:
    """A flow that returns its shared data."""
    return dict(current_flow().flow_data)


class Holder:
    """An object with a flow as a method."""

    def __init__(self, number: int) -> None:
        self.number = number

    @flow
    def method(self) -> int:
        """Return the number."""
        return self.number

    def plain(self) -> int:
        """Return the number, twice."""
        return self.number * 2


def triple(data: int) -> int:
    """A plain function."""
    return data * 3


async def triple_async(data: int) -> int:
    """A plain async function."""
    await asyncio.sleep(0)
    return data * 3


def raising(data: str) -> None:
    """A plain function that fails."""
    raise LookupError(data)


def pid(data: object) -> int:
    """Tell the process."""
    return os.getpid()


def dying_now(code: int) -> None:
    """End the process."""
    os._exit(code)


def hanging_in(started: str) -> None:
    """Say, in a file that it keeps open, that it runs, and never end."""
    with Path(started).open("a", encoding="utf-8") as file:
        print(os.getpid(), file=file, flush=True)
        time.sleep(600)


class Spy:
    """A pipe with a name, which a process opens, and which ends with that process."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "started")
        os.mkfifo(self.path)

    async def started(self) -> int:
        """Wait until a process has opened it, and tell which."""
        self._file = await asyncio.to_thread(open, self.path, encoding="utf-8")
        return int(await asyncio.to_thread(self._file.readline))

    async def ended(self) -> None:
        """Wait until that process has ended."""
        with self._file:
            assert await asyncio.to_thread(self._file.read) == ""
