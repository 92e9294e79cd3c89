"""Generators that `types.coroutine` has made awaitable are async functions."""

import asyncio
import types
from collections.abc import Generator
from functools import partial
from typing import Any, cast

import pytest

from flowscope import (
    AsyncioExecutor,
    Flow,
    Inject,
    ThreadExecutor,
    bind_context,
    current_task_or_none,
    flow,
    submit,
    task,
    use_executor,
)


@types.coroutine
def legacy(number: int) -> Generator[Any, Any, int]:
    """A coroutine as generators were once."""
    yield from asyncio.sleep(0).__await__()
    if number < 0:
        raise ValueError(number)
    return number


class Owner:
    """An object with such a method, and a callable one."""

    @types.coroutine
    def method(self, number: int) -> Generator[Any, Any, int]:
        """The number."""
        yield from asyncio.sleep(0).__await__()
        return number

    __call__ = method


step: Any = task(legacy)


@pytest.mark.parametrize("work", [legacy, partial(legacy, number=1), Owner().method, Owner()])
@pytest.mark.parametrize("executed", [False, True])
def test_a_flow_of_one_is_async(work: Any, executed: bool) -> None:
    """It is executed and awaited like any async flow."""
    args = () if hasattr(work, "keywords") else (1,)
    made: Flow[Any] = flow(work)(*args)
    if executed:
        made.execute()
    else:

        async def main() -> None:
            await made

        asyncio.run(main())
    assert made.return_value == 1


@pytest.mark.parametrize("work", [legacy, partial(legacy, number=1), Owner().method, Owner()])
@pytest.mark.parametrize("options", [{}, {"timeout": 60}, {"validate": True}, {"retries": 1}])
def test_a_task_of_one_is_awaited(work: Any, options: dict[str, Any]) -> None:
    """It is recorded until its end, with any option of a task."""
    decorated = cast("Any", task)(**options)(work)
    args = () if hasattr(work, "keywords") else (1,)

    @flow
    async def main() -> int:
        found: int = await decorated(*args)
        return found

    made = main().execute()
    assert made.return_value == 1
    assert [each.status for each in made.flow_run.tasks] == ["completed"]


def test_a_failing_one_is_retried() -> None:
    """Its error is that of an async task."""

    @flow
    async def main() -> None:
        with pytest.raises(ValueError, match="-1"):
            await task(retries=2)(legacy)(-1)

    assert [each.attempts for each in main().execute().flow_run.tasks] == [3]


def test_one_is_submitted() -> None:
    """To the event loop and to a thread."""

    @flow
    async def main() -> list[int]:
        found: list[int] = []
        for executor in AsyncioExecutor(), ThreadExecutor(1):
            with executor, use_executor(executor):
                found.append(await submit(step, 1))
        return found

    assert main().execute().return_value == [1, 1]


def test_one_is_a_provider_and_is_bound() -> None:
    """The other places that take async functions take it too."""

    @types.coroutine
    def provide() -> Generator[Any, Any, str]:
        yield from asyncio.sleep(0).__await__()
        return "value"

    @types.coroutine
    def here() -> Generator[Any, Any, Any]:
        yield from asyncio.sleep(0).__await__()
        return current_task_or_none()

    @task
    async def use(value: Any = Inject(provide)) -> Any:
        return value, await bind_context(here)()

    @flow
    async def main() -> Any:
        value, found = await use()
        return value, found.task_name

    assert main().execute().return_value == ("value", "use")
