"""`submit`, `map_tasks`, `use_executor` and futures, for mypy, for pyright and at runtime."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Literal, ParamSpec, TypeVar, overload

from pydantic import BaseModel
from typing_extensions import assert_type

from flowscope import (
    INJECTED,
    AsyncioExecutor,
    Executor,
    Flow,
    ProcessExecutor,
    RunStatus,
    TaskFuture,
    TaskMap,
    TaskRun,
    ThreadExecutor,
    map_tasks,
    submit,
    task,
    use_executor,
)
from flowscope.executors import Submission

P = ParamSpec("P")
T = TypeVar("T")


@task
def text(x: int, *, suffix: str = "") -> str:
    return f"{x}{suffix}"


@task()
async def text_async(x: int, *, suffix: str = "") -> str:
    return f"{x}{suffix}"


@task(raise_on_error=False)
def tolerant(x: int) -> str:
    return str(x)


@task(raise_on_error=False, retries=1)
async def tolerant_async(x: int) -> str:
    return str(x)


@task
def procedure(x: int) -> None:
    assert x


@task
async def procedure_async(x: int) -> None:
    assert x


@task
def first_of(items: Sequence[T]) -> T:
    return items[0]


@task
async def first_of_async(items: Sequence[T]) -> T:
    return items[0]


@task
def variadic(*numbers: int, **options: str) -> float:
    return sum(numbers) / len(options or "1")


@task
def injected(x: int, flow_data: dict[str, Any] = INJECTED) -> int:
    return x + len(flow_data)


@task(executor="thread")
def placed(x: int) -> str:
    return str(x)


@task(executor="process", timeout=30)
async def placed_async(x: int) -> str:
    return str(x)


@task(executor=ThreadExecutor(1), raise_on_error=False)
def placed_tolerant(x: int) -> str:
    return str(x)


class Plain(Generic[T]):
    def __init__(self, factor: T) -> None:
        self.factor = factor

    @task
    def method(self, x: int) -> tuple[T, int]:
        return self.factor, x

    @task
    async def method_async(self, x: int) -> tuple[T, int]:
        return self.factor, x

    @staticmethod
    @task
    def static(x: int) -> str:
        return str(x)

    @classmethod
    @task
    def of_class(cls, x: int) -> str:
        return str(x)


@dataclass
class Data:
    factor: int

    @task
    def method(self, x: int) -> str:
        return str(self.factor * x)

    @task(raise_on_error=False)
    async def method_async(self, x: int) -> str:
        return str(self.factor * x)


class Model(BaseModel):
    factor: int

    @task
    def method(self, x: int) -> str:
        return str(self.factor * x)

    @task
    async def method_async(self, x: int) -> str:
        return str(self.factor * x)


class Ingest(Flow[int]):
    factor: int

    @task
    def method(self, x: int) -> str:
        return str(self.factor * x)

    async def run(self) -> int:
        future = submit(self.method, 2)
        assert_type(future, TaskFuture[str])
        return len(await future)


def test_submit_gives_a_future_of_the_value() -> None:
    """Sync and async tasks alike give a future of what they return when they are called, or awaited."""
    with Flow():
        assert assert_type(submit(text, 1), TaskFuture[str]).result() == "1"
        assert assert_type(submit(text, x=1, suffix="!"), TaskFuture[str]).result() == "1!"
        assert assert_type(submit(text_async, 1, suffix="!"), TaskFuture[str]).result() == "1!"
        assert assert_type(submit(tolerant, 1), TaskFuture[str | None]).result() == "1"
        assert assert_type(submit(tolerant_async, 1), TaskFuture[str | None]).result() == "1"
        assert assert_type(submit(injected, 1), TaskFuture[int]).result() == 1
        assert assert_type(submit(variadic, 1, 2, a="b"), TaskFuture[float]).result() == 3
        assert_type(submit(procedure, 1), TaskFuture[None]).result()
        assert_type(submit(procedure_async, 1), TaskFuture[None]).result()


def test_type_variables_are_solved() -> None:
    """A generic task gives a future of what its arguments say."""
    with Flow():
        assert assert_type(submit(first_of, [1, 2]), TaskFuture[int]).result() == 1
        assert assert_type(submit(first_of, [b"a"]), TaskFuture[bytes]).result() == b"a"
        assert assert_type(submit(first_of_async, ["a"]), TaskFuture[str]).result() == "a"


def test_tasks_with_an_executor_are_typed_as_their_functions() -> None:
    """`executor=` changes nothing of a task's type."""
    with Flow():
        assert assert_type(placed(1), str) == "1"
        assert assert_type(placed_tolerant(1), str | None) == "1"
        assert assert_type(submit(placed, 1), TaskFuture[str]).result() == "1"
        assert assert_type(submit(placed_tolerant, 1), TaskFuture[str | None]).result() == "1"


async def test_a_placed_async_task_is_awaited() -> None:
    """A direct call of an async task that runs elsewhere is awaited for its value."""
    async with Flow():
        with use_executor("thread"):
            assert assert_type(await submit(text, 1), str) == "1"


def test_bound_methods_are_submitted() -> None:
    """A method of any class takes what follows `self`."""
    with Flow():
        assert assert_type(submit(Plain("a").method, 1), TaskFuture[tuple[str, int]]).result() == ("a", 1)
        assert assert_type(submit(Plain(2).method_async, x=1), TaskFuture[tuple[int, int]]).result() == (2, 1)
        assert assert_type(submit(Plain[int].static, 1), TaskFuture[str]).result() == "1"
        assert assert_type(submit(Plain[int].of_class, 1), TaskFuture[str]).result() == "1"
        assert assert_type(submit(Data(2).method, 1), TaskFuture[str]).result() == "2"
        assert assert_type(submit(Data(2).method_async, 1), TaskFuture[str | None]).result() == "2"
        assert assert_type(submit(Model(factor=2).method, 1), TaskFuture[str]).result() == "2"
        assert assert_type(submit(Model(factor=2).method_async, 1), TaskFuture[str]).result() == "2"
        assert assert_type(submit(Data.method, Data(2), 1), TaskFuture[str]).result() == "2"
    assert Ingest(factor=5).execute().return_value == 2


async def test_a_future_is_typed() -> None:
    """Awaiting, blocking and asking have their types."""
    async with Flow():
        future = submit(text, 1)
        assert assert_type(await future, str) == "1"
        assert assert_type(future.result(), str) == "1"
        assert assert_type(future.result(timeout=0.5), str) == "1"
        assert assert_type(future.exception(), BaseException | None) is None
        assert assert_type(future.exception(1), BaseException | None) is None
        assert assert_type(future.done(), bool)
        assert not assert_type(future.cancel(), bool)
        assert assert_type(future.status, RunStatus) is RunStatus.COMPLETED
        assert assert_type(future.task_id, str)
        awaitable: Awaitable[str] = future
        wider: TaskFuture[str | int] = future
        assert (await awaitable, wider.result()) == ("1", "1")


async def test_futures_are_gathered() -> None:
    """`asyncio.gather` and `wait_for` know what comes of futures."""
    async with Flow():
        one, other = await asyncio.gather(submit(text, 1), submit(first_of_async, [2]))
        assert_type(one, str)
        assert_type(other, int)
        several = await asyncio.gather(*(submit(text, number) for number in range(3)))
        assert_type(several, list[str])
        assert assert_type(await asyncio.wait_for(submit(text_async, 1), 30), str) == "1"
    assert (one, other, several) == ("1", 2, ["0", "1", "2"])


def test_a_map_is_iterated_over() -> None:
    """The results of a map are those of the task, for sync and async tasks."""
    with Flow():
        results = map_tasks(text, [1, 2])
        assert_type(results, TaskMap[str])
        assert_type(iter(results), Iterator[str])
        assert assert_type(list(map_tasks(text_async, range(2), limit=1)), list[str]) == ["0", "1"]
        assert assert_type(list(map_tasks(tolerant, [1])), list[str | None]) == ["1"]
        assert assert_type(list(map_tasks(tolerant_async, [1])), list[str | None]) == ["1"]
        assert assert_type(sorted(map_tasks(text, (1, 2)).as_completed()), list[str]) == ["1", "2"]
        assert assert_type(list(map_tasks(Plain("a").method, {1})), list[tuple[str, int]]) == [("a", 1)]
        assert assert_type(next(iter(map_tasks(first_of, [[1]]))), int) == 1
        iterable: Iterable[str] = map_tasks(text, (number for number in range(2)))
        assert "".join(iterable) == "01"


async def test_a_map_is_iterated_over_async() -> None:
    """The same with `async for`."""
    async with Flow():
        results = map_tasks(text_async, [1, 2])
        assert_type(aiter(results), AsyncIterator[str])
        assert assert_type([x async for x in results], list[str]) == ["1", "2"]
        assert assert_type([x async for x in map_tasks(text, [1]).as_completed()], list[str]) == ["1"]
        wider: TaskMap[str | int] = results
        assert [x async for x in wider] == ["1", "2"]


def test_use_executor_gives_the_executor() -> None:
    """`with use_executor(…) as` has the executor, and takes names and instances."""
    with use_executor("thread") as named:
        assert_type(named, Executor)
    with use_executor(ThreadExecutor(1)) as given:
        assert given.workers == 1
    name: Literal["asyncio", "thread", "process"]
    for name in ("asyncio", "thread", "process"):
        block: AbstractContextManager[Executor] = use_executor(name)
        with block as executor:
            assert assert_type(executor.name, str) == name


def test_executors_are_blocks_of_their_own_type() -> None:
    """`with ThreadExecutor(2) as pool` knows the class."""
    with ThreadExecutor(2) as threads, ProcessExecutor(1, start_method="spawn") as processes, AsyncioExecutor() as loop:
        assert_type(threads, ThreadExecutor)
        assert_type(processes, ProcessExecutor)
        assert_type(loop, AsyncioExecutor)
        executors: list[Executor] = [threads, processes, loop]
    assert [assert_type(executor.workers, int) for executor in executors][:2] == [2, 1]


async def test_executors_are_async_blocks_of_their_own_type() -> None:
    """`async with ThreadExecutor(2) as pool` knows the class."""
    async with ThreadExecutor(2) as threads:
        assert_type(threads, ThreadExecutor)


class Inline(Executor):
    """The least that an executor has to say."""

    name = "inline, somewhere else"

    @property
    def workers(self) -> int:
        return 1

    def start(self, submission: Submission, /) -> None:
        submission.run()

    def close(self, *, wait: bool = True) -> None: ...


def test_an_executor_of_one_s_own_is_typed() -> None:
    """A subclass of `Executor` is taken by `use_executor` and `@task`."""

    @task(executor=Inline())
    def own(x: int) -> int:
        return x

    with Flow() as made, use_executor(Inline()):
        assert assert_type(own(1), int) == 1
        assert submit(text, 1).result() == "1"
    tasks = made.flow_run.tasks
    assert_type(tasks, list[TaskRun])
    assert [assert_type(one.executor, str) for one in tasks] == ["inline, somewhere else"] * 2
    assert [assert_type(one.abandoned_thread, str | None) for one in tasks] == [None] * 2


def in_order(function: Callable[P, T], calls: Iterable[Any]) -> list[TaskFuture[T]]:
    """A user's own function around `submit` can be generic."""
    anything: Callable[..., T] = function
    return [submit(anything, *call) for call in calls]


def submit_one(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> TaskFuture[T]:
    """A user's own function around `submit` can pass the parameters on."""
    return submit(function, *args, **kwargs)


def test_submit_may_be_wrapped() -> None:
    """Generic functions around `submit` keep the types."""
    with Flow():
        assert assert_type(submit_one(text, 1, suffix="!"), TaskFuture[str]).result() == "1!"
        assert [one.result() for one in assert_type(in_order(text, [(1,), (2,)]), list[TaskFuture[str]])] == ["1", "2"]


@overload
def doubled(x: int) -> int: ...
@overload
def doubled(x: str) -> str: ...
def doubled(x: int | str) -> int | str:
    return x * 2


def test_values_of_futures_are_collected() -> None:
    """Futures are kept in containers of the user's own."""
    with Flow():
        futures: Mapping[str, TaskFuture[str]] = {"a": submit(text, 1), "b": submit(text_async, 2)}
        values = {name: future.result() for name, future in futures.items()}
        assert assert_type(values, dict[str, str]) == {"a": "1", "b": "2"}
    assert doubled(1) == 2
