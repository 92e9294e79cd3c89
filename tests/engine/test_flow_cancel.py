"""`flow.cancel()`: from any thread, in every way in which the code of a flow may run."""

import asyncio
import logging
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    Flow,
    FlowCancelledError,
    FlowConfig,
    FlowRun,
    RunStatus,
    bind_context,
    current_flow,
    current_flow_or_none,
    current_task,
    flow,
    task,
)


@task
def step(number: int = 0) -> int:
    return number


@task
async def step_later(number: int = 0) -> int:
    await asyncio.sleep(0)
    return number


def cancelled(made: Flow[Any]) -> FlowCancelledError:
    """The error of a flow that is executed and cancelled, after the facts that hold for each."""
    with pytest.raises(FlowCancelledError) as caught:
        made.execute()
    return checked(made, caught.value)


def checked(made: Flow[Any], error: FlowCancelledError) -> FlowCancelledError:
    """The error, which leads to the record of its flow."""
    assert (error.flow_id, made.flow_error, made.status) == (made.flow_id, error, RunStatus.CANCELLED)
    record = error.flow_run
    assert record is not None
    assert record.error is not None
    assert (record.flow_id, record.status, record.error.type) == (made.flow_id, "cancelled", "FlowCancelledError")
    assert all(call.end_time is not None for call in record.tasks)
    assert current_flow_or_none() is None
    assert not made.cancel()
    return error


def test_a_pending_and_an_ended_flow_are_left_alone() -> None:
    """`cancel` of a flow that is not running returns False, and the flow runs as ever."""
    made = Flow[int]().setup(step.__wrapped__, 3)  # type: ignore[attr-defined] # it is a task
    assert not made.cancel("too early")
    assert made.execute().return_value == 3
    assert not made.cancel("too late")
    assert (made.status, made.flow_error) == ("completed", None)


def test_a_sync_flow_is_interrupted_at_its_next_task(capsys: pytest.CaptureFixture[str]) -> None:
    """A print and a line of another library's logger do not interrupt; the next task does, and its body does not run."""
    seen: list[str] = []

    @flow
    def work(this_flow: Flow[None] = INJECTED) -> None:
        assert this_flow.cancel("enough")
        print("printed")
        logging.getLogger("other").warning("logged")
        seen.append("before")
        try:
            step()
        except asyncio.CancelledError as error:
            seen.append(str(error))
            raise
        seen.append("after")

    made = work()
    error = cancelled(made)
    assert seen == ["before", "flow 'work' was cancelled: enough"]
    assert (error.reason, made.flow_run.tasks) == ("enough", [])
    assert [entry.message for entry in made.captured_logs()][:2] == ["printed", "logged"]
    assert capsys.readouterr().out == ""


def say_in_flow() -> None:
    current_flow().log_info("said")


@task
def say_in_task() -> None:
    current_flow().cancel()
    current_flow().log_info("said")


@task
def progress_in_task() -> None:
    current_flow().cancel()
    current_task().progress(1)


@task
def nest() -> None:
    current_flow().cancel()
    step()


@task(raise_on_error=False)
def tolerant() -> None:
    current_flow().cancel()
    step()


@task
def generate() -> Iterator[int]:
    current_flow().cancel()
    yield step()


@pytest.mark.parametrize(
    "body",
    [
        say_in_flow,
        say_in_task,
        progress_in_task,
        nest,
        tolerant,
        lambda: list(generate()),
        lambda: Flow[None]().setup(lambda: None).execute(),
        lambda: Flow[None]().setup(nest.__wrapped__).execute(),  # type: ignore[attr-defined] # it is a task
        lambda: None,
    ],
    ids=[
        "message",
        "message of a task",
        "progress",
        "nested task",
        "tolerant",
        "generator",
        "nested flow",
        "cancels itself",
        "end",
    ],
)
def test_a_sync_flow_is_interrupted_wherever_it_may(body: Callable[[], object]) -> None:
    """A message, a task in a task, a nested flow and the end of the function are such moments."""

    def work() -> None:
        current_flow().cancel()
        body()

    cancelled(Flow[None](flow_name="w").setup(work))


def test_the_message_that_interrupts_is_recorded() -> None:
    """No message is lost."""

    def work() -> None:
        current_flow().cancel()
        current_flow().log_info("the last words")

    made = Flow[None]().setup(work)
    cancelled(made)
    assert made.captured_logs()[0].message == "the last words"


def test_the_clean_up_of_a_flow_may_call_tasks() -> None:
    """The code is interrupted once: what runs in `finally` blocks runs to its end."""
    cleaned: list[int] = []

    @task
    def clean() -> None:
        current_flow().log_info("cleaning")
        cleaned.append(step(1))

    def work() -> None:
        current_flow().cancel()
        try:
            step()
        finally:
            clean()
            Flow[None]().setup(clean).execute()

    made = Flow[None]().setup(work)
    cancelled(made)
    assert cleaned == [1, 1]
    assert [(call.task_name, call.status) for call in made.flow_run.tasks] == [
        ("clean", "completed"),
        ("step", "completed"),
    ]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_flow_that_catches_it_goes_on(*, is_async: bool) -> None:
    """As an asyncio task does."""

    def work() -> str:
        current_flow().cancel()
        with pytest.raises(asyncio.CancelledError):
            step()
        return "on"

    async def work_later() -> str:
        current_flow().cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(0)
        return "on"

    made = Flow[str]().setup(work_later if is_async else work).execute()
    assert (made.return_value, made.status) == ("on", "completed")


def test_an_error_of_the_clean_up_is_the_error() -> None:
    """A flow that raises another error has failed with that."""

    def work() -> None:
        current_flow().cancel()
        try:
            step()
        finally:
            raise KeyError("x")  # noqa: B012 - the case under test

    made = Flow[None]().setup(work)
    with pytest.raises(KeyError):
        made.execute()
    assert made.status is RunStatus.FAILED


def test_without_raise_flow_error_the_flow_comes_back() -> None:
    """`execute` and `await` return it, and `flow_error` is the error."""

    def work() -> None:
        current_flow().cancel("r")
        step()

    async def work_later() -> None:
        current_flow().cancel("r")
        await asyncio.sleep(60)

    for body in (work, work_later):
        made = Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(body).execute()
        assert isinstance(made.flow_error, FlowCancelledError)
        checked(made, made.flow_error)
        with pytest.raises(FlowCancelledError):
            _ = made.return_value


def test_an_execution_after_it_is_a_new_one() -> None:
    """The cancellation is that of one run."""
    wanted = [True]

    def work() -> int:
        if wanted.pop():
            current_flow().cancel()
        return step(4)

    made = Flow[int]().setup(work)
    error = cancelled(made)
    wanted.append(False)
    assert made.execute().return_value == 4
    assert error.flow_run is None


def test_it_pickles_without_the_flow() -> None:
    """In another process there is no record."""
    error = cancelled(Flow[None]().setup(lambda: current_flow().cancel("why")))
    again = pickle.loads(pickle.dumps(error))
    assert (again.flow_id, again.reason, again.flow_run, str(again)) == (error.flow_id, "why", None, str(error))


def test_the_record_is_found_through_the_error() -> None:
    """`FlowRun.from_error` finds it as well."""
    made = Flow[None]().setup(lambda: current_flow().cancel())
    error = cancelled(made)
    assert FlowRun.from_error(error) == made.flow_run


@pytest.mark.parametrize(
    "options", [{"retries": 1, "retry_delay": 600.0}, {"timeout": 600.0}], ids=["pause", "deadline"]
)
def test_a_wait_of_the_library_is_ended(options: dict[str, float]) -> None:
    """Neither the pause before a retry nor a task in a thread of its own holds up the cancellation."""
    begun, release = threading.Event(), threading.Event()

    @task(**options)  # type: ignore[call-overload,untyped-decorator,unused-ignore]  # pyright: ignore[reportArgumentType, reportCallIssue, reportUntypedFunctionDecorator]
    def hold() -> None:
        begun.set()
        if "timeout" in options:
            release.wait(60)
        else:
            raise ValueError("again")

    made = Flow[None]().setup(hold)
    canceller = threading.Thread(target=lambda: (begun.wait(), made.cancel("now")))
    canceller.start()
    try:
        assert cancelled(made).reason == "now"
    finally:
        release.set()
        canceller.join()
    assert [call.status for call in made.flow_run.tasks] == ["cancelled"]


async def hold_async(begun: threading.Event) -> None:
    begun.set()
    await asyncio.Event().wait()


@pytest.mark.parametrize("way", ["direct", "task", "gather", "group", "shielded"])
def test_an_async_flow_is_cancelled_from_another_thread(way: str) -> None:
    """It gets a CancelledError at its `await`."""
    begun = threading.Event()
    hold = task(hold_async)

    async def work() -> None:
        match way:
            case "direct":
                await hold_async(begun)
            case "task":
                await hold(begun)
            case "gather":
                await asyncio.gather(step_later(), hold(begun))
            case "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(hold(begun))
            case _:
                async with asyncio.timeout(600):
                    await hold(begun)

    made = Flow[None]().setup(work)
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: (begun.wait(), made.cancel("stop")))
        assert cancelled(made).reason == "stop"
    assert all(call.status in {"completed", "cancelled"} for call in made.flow_run.tasks)


async def test_the_awaiting_task_is_not_cancelled() -> None:
    """The caller gets the error of the flow, and may go on to await."""

    async def work() -> None:
        asyncio.get_running_loop().call_soon(current_flow().cancel)
        await asyncio.sleep(60)

    made = Flow[None]().setup(work)
    with pytest.raises(FlowCancelledError) as caught:
        await made
    checked(made, caught.value)
    own = asyncio.current_task()
    assert own is not None
    assert own.cancelling() == 0
    await asyncio.sleep(0)


@pytest.mark.parametrize("body", ["returns", "task", "busy"])
async def test_a_flow_that_cancels_itself_leaves_nothing_behind(body: str) -> None:
    """A cancellation that comes right before the end is that of the flow, and not of its caller."""
    done: list[int] = []

    async def work() -> None:
        current_flow().cancel()
        if body == "task":
            await step_later()
        while body == "busy":
            done.append(step())

    made = Flow[None]().setup(work)
    with pytest.raises(FlowCancelledError) as caught:
        await made
    checked(made, caught.value)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not done


@pytest.mark.parametrize("flow_first", [True, False])
async def test_a_cancelled_caller_gets_its_own_error(*, flow_first: bool) -> None:
    """Also where the flow was cancelled too, in either order."""
    begun = threading.Event()
    made = Flow[None]().setup(hold_async, begun)
    caller = asyncio.create_task(made.execute_async())
    while not begun.is_set():
        await asyncio.sleep(0)
    for cancel in (made.cancel, caller.cancel)[:: 1 if flow_first else -1]:
        cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert caller.cancelled()
    assert made.status is RunStatus.CANCELLED


async def test_a_deadline_around_it_is_a_deadline() -> None:
    """`asyncio.timeout` of the caller raises its TimeoutError."""
    made = Flow[None]().setup(hold_async, threading.Event())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await made
    assert not made.cancel()


async def test_a_sync_flow_that_is_awaited_is_interrupted() -> None:
    """And so is one that returns a coroutine of its own, before and in that."""

    def work() -> None:
        current_flow().cancel()
        step()

    async def rest() -> None:
        await asyncio.sleep(60)

    def work_on() -> object:
        current_flow().cancel()
        return rest()

    for body in (work, work_on):
        made = Flow[object]().setup(body)
        with pytest.raises(FlowCancelledError) as caught:
            await made
        checked(made, caught.value)
    cancelled_in_thread = Flow[object]().setup(work_on)
    assert (await asyncio.to_thread(cancelled, cancelled_in_thread)).flow_id == cancelled_in_thread.flow_id


@pytest.mark.parametrize("inner_is_async", [False, True])
@pytest.mark.parametrize("outer_is_async", [False, True])
def test_a_nested_flow_is_cancelled_with_it(*, inner_is_async: bool, outer_is_async: bool) -> None:
    """Its code gets the CancelledError of the outer flow; its record is `cancelled`."""
    begun = threading.Event()
    inner: list[Flow[None]] = []

    def busy() -> None:
        while True:
            step()
            begun.set()

    async def busy_async() -> None:
        while True:
            await step_later()
            begun.set()

    def make() -> Flow[None]:
        inner.append(Flow[None](flow_name="inner").setup(busy_async if inner_is_async else busy))
        return inner[-1]

    def outer_sync() -> None:
        make().execute()

    async def outer_async() -> None:
        await asyncio.gather(make(), step_later())

    outer = Flow[None](flow_name="outer").setup(outer_async if outer_is_async else outer_sync)
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: (begun.wait(), outer.cancel("all")))
        cancelled(outer)
    (nested,) = inner
    assert nested.status is RunStatus.CANCELLED
    assert str(nested.flow_error) == "flow 'outer' was cancelled: all"


async def test_nested_flows_in_tasks_of_their_own_are_cancelled() -> None:
    """Also those that the outer flow does not await; each is cancelled once."""
    inner = [Flow[None](flow_name=f"inner {number}").setup(hold_async, threading.Event()) for number in range(3)]
    tasks: list[asyncio.Task[Flow[None]]] = []

    async def work() -> None:
        tasks.extend(asyncio.create_task(made.execute_async()) for made in inner)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(current_flow().cancel)
        await asyncio.wait(tasks)

    with pytest.raises(FlowCancelledError):
        await Flow[None]().setup(work)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 3
    assert [made.status for made in inner] == ["cancelled"] * 3
    assert [member.cancelling() for member in tasks] == [1] * 3


def test_a_nested_flow_is_cancelled_alone() -> None:
    """The outer flow gets its error as any other, and may handle it."""

    def inner() -> None:
        current_flow().cancel("only this")
        step()

    def outer() -> str:
        made = Flow[None](flow_name="inner").setup(inner)
        with pytest.raises(FlowCancelledError, match="only this"):
            made.execute()
        return f"{made.status} {step(5)}"

    made = Flow[str]().setup(outer).execute()
    assert made.return_value == "cancelled 5"
    failing = Flow[Flow[None]]().setup(lambda: Flow[None](flow_name="inner").setup(inner).execute())
    with pytest.raises(FlowCancelledError):
        failing.execute()
    assert failing.status is RunStatus.FAILED


def test_a_block_is_cancelled() -> None:
    """The block is left with the error of the flow."""
    made = Flow[None](flow_config=FlowConfig(raise_flow_error=False))
    with pytest.raises(FlowCancelledError) as caught, made:  # noqa: PT012 - the block is the case
        assert made.cancel("first")
        assert made.cancel("second")
        step()
    assert checked(made, caught.value).reason == "first"


@pytest.mark.parametrize("is_async_block", [False, True])
@pytest.mark.parametrize("awaits", [False, True])
async def test_a_block_in_a_coroutine_is_cancelled(*, is_async_block: bool, awaits: bool) -> None:
    """The code after the block goes on, uncancelled."""
    made = Flow[None]()

    async def body() -> None:
        made.cancel()
        if awaits:
            await asyncio.sleep(60)
        await step_later()

    with pytest.raises(FlowCancelledError) as caught:  # noqa: PT012 - the block is the case
        if is_async_block:
            async with made:
                await body()
        else:
            with made:
                await body()
    checked(made, caught.value)
    own = asyncio.current_task()
    assert own is not None
    assert own.cancelling() == 0
    for _ in range(3):
        await asyncio.sleep(0)


def test_each_thread_of_a_flow_is_interrupted_once() -> None:
    """A thread of the user's with the flow's context stops at its next task, as the flow does."""
    go = threading.Event()
    seen: list[int] = []

    def look() -> None:
        go.wait()
        for _ in range(2):
            try:
                seen.append(step(7))
            except asyncio.CancelledError:
                seen.append(0)

    def work() -> None:
        thread = threading.Thread(target=bind_context(look))
        thread.start()
        current_flow().cancel()
        go.set()
        thread.join()
        step()

    cancelled(Flow[None]().setup(work))
    assert seen == [0, 7]


def test_many_threads_cancel_one_flow_in_a_race() -> None:
    """A cancellation for which `cancel` returns True ends the flow as cancelled; one that comes too late changes nothing."""
    for _ in range(200):
        made = Flow[int]().setup(lambda: step(1))
        answers: list[bool] = []
        barrier = threading.Barrier(3)

        def cancel(made: Flow[int] = made, answers: list[bool] = answers, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            answers.append(made.cancel())

        threads = [threading.Thread(target=cancel) for _ in range(2)]
        for thread in threads:
            thread.start()
        barrier.wait()
        try:
            made.execute()
        except FlowCancelledError:
            pass
        for thread in threads:
            thread.join()
        assert (made.status == "cancelled") == any(answers)
