"""Flows whose sync function returns a coroutine or generator of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

from flowscope import (
    DefinitionError,
    Flow,
    FlowConfig,
    Inject,
    RunStatus,
    current_flow,
    current_flow_or_none,
    flow,
    submit,
    task,
)


@task
async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


class Doubling(Flow[int]):
    number: int

    def run(self) -> Coroutine[Any, Any, int]:
        return double(self.number)


def _wrapped(number: int) -> Coroutine[Any, Any, int]:
    return double(number)


FLOWS: dict[str, Callable[[int], Flow[int]]] = {
    "wrapper": flow(_wrapped),
    "set up": lambda number: Flow[int]().setup(_wrapped, number),
    "lambda": flow(lambda number: double(number)),
    "class": lambda number: Doubling(number=number),
}


@pytest.mark.parametrize("form", FLOWS)
@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_execute_and_await_run_it_to_its_end(form: str) -> None:
    """Both give the value of the coroutine; its tasks are the flow's."""
    awaited = await FLOWS[form](2)
    executed = await asyncio.to_thread(FLOWS[form](3).execute)
    nested = FLOWS[form](4).execute()
    for run, value in ((awaited, 4), (executed, 6), (nested, 8)):
        assert run.return_value == value
        assert [call.status for call in run.flow_run.tasks] == [RunStatus.COMPLETED]
    assert current_flow_or_none() is None


@pytest.mark.parametrize("awaits", [False, True])
@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_its_error_is_the_flows(awaits: bool) -> None:
    """The very exception comes out once, and the flow has failed; `raise_flow_error=False` keeps it."""
    error = ValueError("late")

    async def failing() -> int:
        await asyncio.sleep(0)
        raise error

    failing_flow = flow(lambda: failing())
    quiet_flow = flow(flow_config=FlowConfig(raise_flow_error=False))(lambda: failing())
    run, quiet = failing_flow(), quiet_flow()
    with pytest.raises(ValueError, match="late") as raised:
        await run if awaits else run.execute()
    await quiet if awaits else quiet.execute()
    assert raised.value is error
    assert run.flow_error is quiet.flow_error is error
    assert run.status == quiet.status == RunStatus.FAILED
    assert len([line for line in run.captured_logs() if line.level == "ERROR"]) == 1


@pytest.mark.parametrize("awaits", [False, True])
@pytest.mark.filterwarnings("ignore::flowscope.BlockedLoopWarning")
async def test_it_is_an_async_flow_for_what_it_injects_and_submits(awaits: bool) -> None:
    """Providers are open until its end; submitted async tasks run in its event loop, and are waited for."""
    seen: list[str] = []

    def resource() -> Iterator[str]:
        seen.append("open")
        yield "it"
        seen.append("closed")

    @task
    async def note(loop: object) -> None:
        await asyncio.sleep(0)
        seen.append(f"{asyncio.get_running_loop() is loop} in {current_flow().flow_name}")

    @flow(flow_name="f")
    def outer(it: str = Inject(resource), shared: str = Inject(resource, scope="flow")) -> Coroutine[Any, Any, str]:
        async def rest() -> str:
            await asyncio.sleep(0)
            seen.append(it)
            submit(note, asyncio.get_running_loop())
            return it

        return rest()

    run = outer()
    await run if awaits else run.execute()
    assert run.return_value == "it"
    assert seen == ["open", "open", "it", "closed", "True in f", "closed"]
    assert [call.status for call in run.flow_run.tasks] == [RunStatus.COMPLETED]


async def test_a_cancelled_await_ends_it_as_cancelled() -> None:
    """Cancelling who awaits the flow cancels its coroutine."""
    waiting = asyncio.Event()

    async def endless() -> None:
        waiting.set()
        await asyncio.Event().wait()

    run = flow(lambda: endless())()
    running = asyncio.ensure_future(run.execute_async())
    await waiting.wait()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert run.status == RunStatus.CANCELLED


def test_an_interrupt_ends_it_as_cancelled() -> None:
    """A `KeyboardInterrupt` of the coroutine passes through `execute`, with the record ended."""

    async def interrupted() -> None:
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    run = flow(lambda: interrupted())()
    with pytest.raises(KeyboardInterrupt):
        run.execute()
    assert run.status == RunStatus.CANCELLED
    assert current_flow_or_none() is None


def passing_on(function: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: function()


def _given(given: Any) -> Any:
    return given


@pytest.mark.parametrize("awaits", [False, True])
async def test_a_generator_of_its_own_is_refused(awaits: bool) -> None:
    """A flow function that returns a generator fails as one that is a generator is refused, and nothing of it runs."""
    seen: list[int] = []

    def rows() -> Iterator[int]:
        seen.append(1)
        yield 1

    async def rows_async() -> AsyncIterator[int]:
        seen.append(1)
        yield 1

    for make in (rows, rows_async):
        maker: Callable[[], Any] = passing_on(make)
        run: Flow[Any] = flow(maker)()
        with pytest.raises(DefinitionError, match="a generator cannot be a flow"):
            await run if awaits else run.execute()
        assert run.status == RunStatus.FAILED
    assert not seen


@pytest.mark.parametrize("awaits", [False, True])
async def test_what_others_hold_is_a_value(awaits: bool) -> None:
    """A coroutine or generator that is an argument, or held elsewhere, comes back as itself; a future does, too."""
    held: list[Any] = [double.__wrapped__(1), (number for number in (1, 2))]  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess, reportUnknownMemberType]
    held.append(asyncio.get_running_loop().create_future())
    for index, value in enumerate(held):
        runs: list[Flow[Any]] = [flow(validate=False)(_given)(value), Flow[Any]().setup(held.__getitem__, index)]
        for run in runs:
            await run if awaits else run.execute()
            assert run.return_value is value
    held[0].close()
