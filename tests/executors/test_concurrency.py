"""Many flows in many loops and threads at once over shared executors: nothing is mixed, nothing is lost."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flowscope import (
    INJECTED,
    AsyncioExecutor,
    EventType,
    Executor,
    Flow,
    FlowConfig,
    FlowEvent,
    FlowRun,
    ProcessExecutor,
    RunStatus,
    ThreadExecutor,
    bind_context,
    current_flow,
    current_task,
    flow_events,
    map_tasks,
    submit,
    task,
    use_executor,
)
from support.executors.third_party import ThreadPerCall

EXECUTORS: dict[str, Callable[[], Executor]] = {
    "asyncio": AsyncioExecutor,
    "thread": lambda: ThreadExecutor(3),
    "third party": ThreadPerCall,
    "process": lambda: ProcessExecutor(2),
}
EVERYWHERE = pytest.mark.parametrize("make", EXECUTORS.values(), ids=EXECUTORS)
LOGGER = logging.getLogger("executors.concurrency")


@task
def step(word: str) -> str:
    """Say a word in every way there is, and in a nested task."""
    print(word, end="")
    LOGGER.warning("%s logged", word)
    current_task().log_info(f"{word} by the task")
    current_task().add_artifact(key=word, data=word)
    current_flow().add_flow_result(word, value=current_flow().flow_id)
    print(" printed")
    return inner(word)


@task
async def step_async(word: str) -> str:
    """Say a word in every way there is, and in a nested task."""
    print(word, end="")
    await asyncio.sleep(0)
    LOGGER.warning("%s logged", word)
    current_task().log_info(f"{word} by the task")
    await asyncio.sleep(0)
    current_task().add_artifact(key=word, data=word)
    current_flow().add_flow_result(word, value=current_flow().flow_id)
    print(" printed")
    return await inner_async(word)


@task
def inner(word: str) -> str:
    print(f"{word} inside")
    return word


@task
async def inner_async(word: str) -> str:
    await asyncio.sleep(0)
    print(f"{word} inside")
    return word


def check(record: FlowRun[Any], name: str, count: int) -> None:
    """Everything in the record is of this flow, of the task that it says, and there once."""
    words = [f"{name}-{number}" for number in range(count)]
    outer = [one for one in record.tasks if one.parent_task_id is None]
    nested = {one.parent_task_id: one for one in record.tasks if one.parent_task_id is not None}
    assert [one.return_value for one in outer] == words
    assert (len(nested), len(record.tasks)) == (count, 2 * count)
    assert sorted(one.execution_order for one in record.tasks) == list(range(1, 2 * count + 1))
    assert len({one.task_id for one in record.tasks}) == 2 * count
    for one in outer:
        word = one.return_value
        inside = nested[one.task_id]
        assert inside.return_value == word
        lines = [entry.message for entry in record.logs if entry.task_id == one.task_id]
        assert lines == [f"{word} logged", f"{word} by the task", f"{word} printed"]
        assert [entry.message for entry in record.logs if entry.task_id == inside.task_id] == [f"{word} inside"]
        assert [found.key for found in record.artifacts if found.task_id == one.task_id] == [word]
        assert [(found.key, found.value) for found in record.results if found.task_id == one.task_id] == [
            (word, record.flow_id)
        ]
    assert len([entry for entry in record.logs if entry.task_id]) == 4 * count
    assert {one.status for one in record.tasks} == {RunStatus.COMPLETED}
    assert [event.sequence for event in record.events] == list(range(1, len(record.events) + 1))
    kinds = [event.event_type for event in record.events]
    assert kinds.count(EventType.TASK_START) == kinds.count(EventType.TASK_STOP) == 2 * count


@EVERYWHERE
async def test_twenty_async_flows_at_once(make: Callable[[], Executor]) -> None:
    """Twenty flows in one event loop share an executor; each has all of its own, and nothing of the others."""
    executor = make()

    async def body(name: str) -> list[str]:
        forms: list[Any] = [step, step_async]
        futures = [submit(forms[number % 2], f"{name}-{number}") for number in range(6)]
        return [await future for future in futures]

    flows = [Flow[list[str]](flow_config=FlowConfig(capture_events=True)).setup(body, f"flow{n}") for n in range(20)]
    async with executor:
        with use_executor(executor):
            await asyncio.gather(*flows)
    for number, made in enumerate(flows):
        check(made.flow_run, f"flow{number}", 6)


@EVERYWHERE
def test_eight_threads_at_once(make: Callable[[], Executor]) -> None:
    """Eight threads with flows of their own, sync and async, share an executor, and begin at the same moment."""
    ready = threading.Barrier(8)
    executor = make()
    found: dict[str, Flow[Any]] = {}
    failures: list[BaseException] = []

    def body(name: str) -> None:
        ready.wait(20)
        for future in [submit(step, f"{name}-{number}") for number in range(12)]:
            future.result()

    async def body_async(name: str) -> None:
        ready.wait(20)
        await asyncio.gather(*(submit(step_async, f"{name}-{number}") for number in range(12)))

    def work(number: int) -> None:
        name = f"thread{number}"
        made = Flow[None](flow_config=FlowConfig(capture_events=True)).setup(body_async if number % 2 else body, name)
        found[name] = made
        try:
            with use_executor(executor):
                made.execute()
        except BaseException as error:
            failures.append(error)

    with executor:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    for name, made in found.items():
        check(made.flow_run, name, 12)


@EVERYWHERE
def test_threads_of_one_flow_submit_at_once(make: Callable[[], Executor]) -> None:
    """Eight threads submit into one flow: orders have no gap, and each value comes to who asked for it."""
    ready = threading.Barrier(8)
    found: dict[str, list[str]] = {}

    def work(name: str) -> None:
        ready.wait(20)
        found[name] = [future.result() for future in [submit(inner, f"{name}-{number}") for number in range(20)]]

    with make() as executor, Flow[None]() as made, use_executor(executor):
        threads = [threading.Thread(target=bind_context(work), args=(f"t{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {f"t{number}": [f"t{number}-{one}" for one in range(20)] for number in range(8)}
    record = made.flow_run
    assert [one.execution_order for one in record.tasks] == list(range(1, 161))
    assert all(one.input_args == [one.return_value] for one in record.tasks)


async def test_maps_and_futures_and_calls_at_once() -> None:
    """Submits, maps, direct calls and `gather`, over four executors in one flow, keep to themselves."""
    pools = {name: make() for name, make in EXECUTORS.items()}

    async def of_futures(name: str, executor: Executor) -> list[str]:
        with use_executor(executor):
            return list(await asyncio.gather(*(submit(inner, f"{name}-{number}") for number in range(10))))

    async def of_maps(name: str, executor: Executor) -> list[str]:
        with use_executor(executor):
            return [one async for one in map_tasks(inner_async, [f"{name}-{number}" for number in range(10)], limit=3)]

    async def of_calls(name: str) -> list[str]:
        return [await inner_async(f"{name}-{number}") for number in range(10)]

    async with Flow[None]() as made:
        for kind in (of_futures, of_maps):
            results = await asyncio.gather(*(kind(name, executor) for name, executor in pools.items()), of_calls("own"))
            assert results == [[f"{name}-{number}" for number in range(10)] for name in (*pools, "own")]
    for executor in pools.values():
        executor.close()
    record = made.flow_run
    names = {executor.name for executor in pools.values()}
    assert {one.executor for one in record.tasks} == {*names, "inline"}
    assert {one.status for one in record.tasks} == {RunStatus.COMPLETED}
    said = {one.task_id: one.return_value for one in record.tasks}
    assert [(entry.task_id, entry.message) for entry in record.logs if entry.task_id] == [
        (entry.task_id, f"{said[entry.task_id]} inside") for entry in record.logs if entry.task_id
    ]
    assert len(said) == 100


@EVERYWHERE
def test_listeners_hear_everything_once(make: Callable[[], Executor]) -> None:
    """A listener of all flows hears each event of concurrent flows once, in the order of its flow."""
    heard: list[FlowEvent] = []
    lock = threading.Lock()

    def listen(event: FlowEvent) -> None:
        with lock:
            heard.append(event)

    def body(name: str) -> None:
        for future in [submit(step, f"{name}-{number}") for number in range(5)]:
            future.result()

    flows = [Flow[None]().setup(body, f"f{number}") for number in range(6)]
    executor = make()
    with executor, flow_events.subscribe(listen):

        def work(made: Flow[None]) -> None:
            with use_executor(executor):
                made.execute()

        threads = [threading.Thread(target=work, args=(made,)) for made in flows]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for made in flows:
        own = [event for event in heard if event.event_data.flow_run_id == made.flow_id]
        assert [event.sequence for event in own] == list(range(1, len(own) + 1))
        kinds = [event.event_type for event in own]
        assert kinds.count(EventType.TASK_START) == kinds.count(EventType.TASK_STOP) == 10
        assert (kinds[0], kinds[-1]) == (EventType.FLOW_START, EventType.FLOW_STOP)
    assert len({event.event_id for event in heard}) == len(heard)


def test_the_data_of_a_flow_is_shared_by_its_threads() -> None:
    """Tasks in threads share their own flow's data, and see that of no other."""

    @task
    def count(name: str, flow_data: dict[str, Any] = INJECTED) -> None:
        flow_data.setdefault(name, []).append(name)

    def body(name: str) -> None:
        for _ in range(50):
            submit(count, name)

    flows = [Flow[None]().setup(body, f"f{number}") for number in range(8)]
    with ThreadExecutor(4) as executor:

        def work(made: Flow[None]) -> None:
            with use_executor(executor):
                made.execute()

        threads = [threading.Thread(target=work, args=(made,)) for made in flows]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number, made in enumerate(flows):
        assert made.flow_data == {f"f{number}": [f"f{number}"] * 50}


@EVERYWHERE
def test_failures_stay_where_they_are(make: Callable[[], Executor]) -> None:
    """Of flows at once, half of which fail with their own exception, each ends as its own tasks say."""

    def body(name: str) -> None:
        for number in range(4):
            submit(fails if name.endswith("odd") else inner, f"{name}-{number}")

    names = [f"f{number}-{'odd' if number % 2 else 'even'}" for number in range(10)]
    flows = {name: Flow[None](flow_config=FlowConfig(raise_flow_error=False)).setup(body, name) for name in names}
    executor = make()
    with executor:

        def work(made: Flow[None]) -> None:
            with use_executor(executor):
                made.execute()

        threads = [threading.Thread(target=work, args=(made,)) for made in flows.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for name, made in flows.items():
        if name.endswith("odd"):
            assert isinstance(made.flow_error, LookupError)
            assert made.flow_error.args == (f"{name}-0",)
        else:
            assert made.status is RunStatus.COMPLETED


@task
def fails(word: str) -> None:
    raise LookupError(word)
