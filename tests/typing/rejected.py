"""Calls that type checkers have to reject.

Each wrong line ends with the codes under which mypy and pyright report it, and nothing else in this module is reported.
Nothing here is ever run.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from flowscope import (
    INJECTED,
    EventType,
    Executor,
    Flow,
    FlowConfig,
    FlowEvent,
    FlowRun,
    Inject,
    ProcessExecutor,
    RunStatus,
    Task,
    TaskFuture,
    ThreadExecutor,
    bind_context,
    current_flow_or_none,
    current_task,
    current_task_or_none,
    flow,
    flow_events,
    map_tasks,
    submit,
    task,
    use_executor,
)

T = TypeVar("T")


def want_str(value: str) -> None: ...


def want_int(value: int) -> None: ...


def want_flow(value: Flow[str]) -> None: ...


def want_record(value: FlowRun[str]) -> None: ...


def want_formatter(value: Callable[[int], str]) -> None: ...


# Tasks


def plain(x: int) -> str:
    return str(x)


@task
def bare(x: int, *, suffix: str = "") -> str:
    return f"{x}{suffix}"


@task()
def called(x: int) -> str:
    return str(x)


@task
async def bare_async(x: int) -> str:
    return str(x)


@task(retries=1)
async def called_async(x: int) -> str:
    return str(x)


@task(raise_on_error=False)
def tolerant(x: int) -> str:
    return str(x)


@task(raise_on_error=False)
async def tolerant_async(x: int) -> str:
    return str(x)


def arguments_of_tasks() -> None:
    bare("1")  # rejected: arg-type, reportArgumentType
    bare()  # rejected: call-arg, reportCallIssue
    bare(1, "!")  # rejected: call-arg, reportCallIssue
    bare(1, suffix=2)  # rejected: arg-type, reportArgumentType
    bare(1, sufix="!")  # rejected: call-arg, reportCallIssue
    bare(x=None)  # rejected: arg-type, reportArgumentType
    called("1")  # rejected: arg-type, reportArgumentType
    called()  # rejected: call-arg, reportCallIssue
    tolerant("1")  # rejected: arg-type, reportArgumentType
    tolerant(x=1, y=2)  # rejected: call-arg, reportCallIssue


def values_of_tasks() -> None:
    want_int(bare(1))  # rejected: arg-type, reportArgumentType
    want_int(called(1))  # rejected: arg-type, reportArgumentType
    want_str(tolerant(1))  # rejected: arg-type, reportArgumentType
    tolerant(1).upper()  # rejected: union-attr, reportOptionalMemberAccess
    len(tolerant(1))  # rejected: arg-type, reportArgumentType
    bare(1).execute()  # rejected: attr-defined, reportAttributeAccessIssue
    want_formatter(tolerant)  # rejected: arg-type, reportArgumentType
    want_formatter(bare_async)  # rejected: arg-type, reportArgumentType
    list(map(bare, ["1"]))  # rejected: arg-type, reportArgumentType


async def awaiting_tasks() -> None:
    await bare(1)  # rejected: misc, reportGeneralTypeIssues
    await tolerant(1)  # rejected: misc, reportGeneralTypeIssues
    await bare_async("1")  # rejected: arg-type, reportArgumentType
    await called_async()  # rejected: call-arg, reportCallIssue
    bare_async(1)  # rejected: unused-coroutine, reportUnusedCoroutine
    called_async(1)  # rejected: unused-coroutine, reportUnusedCoroutine
    tolerant_async(1)  # rejected: unused-coroutine, reportUnusedCoroutine
    want_str(bare_async(1))  # rejected: arg-type, reportArgumentType
    bare_async(1).upper()  # rejected: attr-defined, reportAttributeAccessIssue
    want_int(await bare_async(1))  # rejected: arg-type, reportArgumentType
    want_str(await tolerant_async(1))  # rejected: arg-type, reportArgumentType
    (await tolerant_async(1)).upper()  # rejected: union-attr, reportOptionalMemberAccess
    await asyncio.gather(bare_async("1"), called_async(2))  # rejected: arg-type, reportArgumentType
    await asyncio.gather(bare(1))  # rejected: call-overload, reportArgumentType
    await asyncio.to_thread(bare, "1")  # rejected: arg-type, reportArgumentType
    asyncio.create_task(bare(1))  # rejected: arg-type, reportArgumentType


# Options


def options_of_tasks() -> None:
    task(retries="2")  # rejected: call-overload, reportArgumentType
    task(retry=2)  # rejected: call-overload, reportCallIssue
    task(task_name=1)  # rejected: call-overload, reportArgumentType
    task(retry_delay="1s")  # rejected: arg-type, reportArgumentType
    task(retry_on=int)  # rejected: arg-type, reportArgumentType
    task(retry_on=KeyboardInterrupt)  # rejected: arg-type, reportArgumentType
    task(retry_on=(ValueError, str))  # rejected: arg-type, reportArgumentType
    task(retry_on=ValueError("no"))  # rejected: call-overload, reportArgumentType
    task(retry_on=[ValueError])  # rejected: call-overload, reportArgumentType
    task(timeout="1")  # rejected: call-overload, reportArgumentType
    task(tags=1)  # rejected: call-overload, reportArgumentType
    task(flow_name="load")  # rejected: call-overload, reportCallIssue
    task(flow_config=FlowConfig())  # rejected: call-overload, reportCallIssue
    task(flow_id="flow-1")  # rejected: call-overload, reportCallIssue
    task(raise_on_error=False, flow_name="load")  # rejected: call-overload, reportCallIssue
    task(raise_on_error=None)  # rejected: call-overload, reportArgumentType
    task(raise_on_error=False, retires=2)  # rejected: call-overload, reportCallIssue
    task("name")  # rejected: call-overload, reportArgumentType
    task(3)  # rejected: call-overload, reportArgumentType
    task(plain, retries=2)  # rejected: call-overload, reportCallIssue
    task(retries=2)(3)  # rejected: type-var, reportArgumentType


def options_of_flows() -> None:
    flow(flow_name=1)  # rejected: call-overload, reportArgumentType
    flow(name="ingest")  # rejected: call-overload, reportCallIssue
    flow(retries=2)  # rejected: call-overload, reportCallIssue
    flow(task_name="load")  # rejected: call-overload, reportCallIssue
    flow(raise_on_error=False)  # rejected: call-overload, reportCallIssue
    flow(executor="thread")  # rejected: call-overload, reportCallIssue
    flow(flow_config={"print_logs": True})  # rejected: call-overload, reportArgumentType
    flow(validate="no")  # rejected: call-overload, reportArgumentType
    flow(tags=["urgent"])  # rejected: call-overload, reportArgumentType
    flow("name")  # rejected: call-overload, reportArgumentType
    flow(3)  # rejected: call-overload, reportArgumentType
    flow(plain, flow_name="plain")  # rejected: call-overload, reportCallIssue
    flow(flow_name="plain")(3)  # rejected: call-overload, reportArgumentType


@task(retry_on=dict)  # rejected: arg-type, reportArgumentType
def decorated_with_a_wrong_option() -> None: ...


@flow(retries=2)  # rejected: call-overload, reportCallIssue
def decorated_with_an_unknown_option() -> None: ...


# Flows


@flow
def work(x: int, *, suffix: str = "") -> str:
    return f"{x}{suffix}"


@flow()
async def work_async(x: int) -> str:
    return str(x)


@flow
def count(x: int) -> int:
    return x


def arguments_of_flows() -> None:
    work("1")  # rejected: arg-type, reportArgumentType
    work()  # rejected: call-arg, reportCallIssue
    work(1, "!")  # rejected: call-arg, reportCallIssue
    work(1, suffix=2)  # rejected: arg-type, reportArgumentType
    work(1, depth=2)  # rejected: call-arg, reportCallIssue
    work_async("1")  # rejected: arg-type, reportArgumentType
    work_async()  # rejected: call-arg, reportCallIssue


def a_flow_is_not_its_value() -> None:
    want_str(work(1))  # rejected: arg-type, reportArgumentType
    want_str(work_async(1))  # rejected: arg-type, reportArgumentType
    want_str(work(1).execute())  # rejected: arg-type, reportArgumentType
    want_str(work_async(1).execute())  # rejected: arg-type, reportArgumentType
    work(1).upper()  # rejected: attr-defined, reportAttributeAccessIssue
    work(1).execute().upper()  # rejected: attr-defined, reportAttributeAccessIssue
    want_formatter(work)  # rejected: arg-type, reportArgumentType


async def an_awaited_flow_is_not_its_value() -> None:
    want_str(await work(1))  # rejected: arg-type, reportArgumentType
    want_str(await work_async(1))  # rejected: arg-type, reportArgumentType
    want_str(await work_async(1).execute_async())  # rejected: arg-type, reportArgumentType
    work_async(1).execute_async()  # rejected: unused-coroutine, reportUnusedCoroutine
    want_int((await work_async(1)).return_value)  # rejected: arg-type, reportArgumentType
    await work_async(1).return_value  # rejected: misc, reportGeneralTypeIssues
    await asyncio.gather(work_async("1"))  # rejected: arg-type, reportArgumentType


def values_of_flows() -> None:
    want_int(work(1).return_value)  # rejected: arg-type, reportArgumentType
    want_int(work_async(1).execute().return_value)  # rejected: arg-type, reportArgumentType
    want_str(work(1).flow_run.return_value)  # rejected: arg-type, reportArgumentType
    want_str(count(1).flow_run.return_value or 0)  # rejected: arg-type, reportArgumentType
    want_flow(count(1))  # rejected: arg-type, reportArgumentType
    want_record(count(1).flow_run)  # rejected: arg-type, reportArgumentType
    work(1).return_value = "2"  # rejected: misc, reportAttributeAccessIssue
    work(1).flow_run = work(2).flow_run  # rejected: misc, reportAttributeAccessIssue
    work(1).status = RunStatus.COMPLETED  # rejected: misc, reportAttributeAccessIssue
    work(1).flow_error = None  # rejected: misc, reportAttributeAccessIssue
    work(1).flow_name = 1  # rejected: assignment, reportAttributeAccessIssue
    work(1).flow_error.args  # rejected: union-attr, reportOptionalMemberAccess
    work(1).result  # rejected: attr-defined, reportAttributeAccessIssue


def methods_of_flows() -> None:
    work(1).execute(2)  # rejected: call-arg, reportCallIssue
    work(1).execute_flow(2)  # rejected: arg-type, reportArgumentType
    work(1).setup(2)  # rejected: arg-type, reportArgumentType
    work(1).provide({"database": 1})  # rejected: call-arg, reportCallIssue
    work(1).log_info(1)  # rejected: arg-type, reportArgumentType
    work(1).add_flow_result()  # rejected: call-arg, reportCallIssue
    work(1).add_flow_artifact(name="plot")  # rejected: call-arg, reportCallIssue
    work(1).durations().flow_tasks[1]  # rejected: index, reportArgumentType
    work(1).durations_with_tasks_status().flow_tasks["step"]  # rejected: index, reportArgumentType
    Flow[int]().setup(len, "a").return_value.upper()  # rejected: attr-defined, reportAttributeAccessIssue


# Methods


class Plain:
    @task
    def scale(self, x: int) -> int:
        return x

    @task(raise_on_error=False)
    def try_scale(self, x: int) -> int:
        return x

    @task()
    async def scale_async(self, x: int) -> int:
        return x

    @flow
    def run(self, x: int) -> int:
        return x

    @staticmethod
    @task
    def static_task(x: int) -> int:
        return x

    @classmethod
    @task
    def class_task(cls, x: int) -> int:
        return x

    @classmethod
    @flow
    def class_flow(cls, x: int) -> int:
        return x


@dataclass
class Data:
    factor: int

    @task
    def scale(self, x: int) -> int:
        return x

    @flow
    def run(self, x: int) -> int:
        return x


class Model(BaseModel):
    factor: int

    @task
    def scale(self, x: int) -> int:
        return x

    @flow
    def run(self, x: int) -> int:
        return x


async def methods_of_a_plain_class() -> None:
    Plain().scale("1")  # rejected: arg-type, reportArgumentType
    Plain().scale()  # rejected: call-arg, reportCallIssue
    Plain().scale(Plain(), 1)  # rejected: call-arg, reportCallIssue
    Plain.scale(1)  # rejected: call-arg, reportCallIssue
    want_str(Plain().scale(1))  # rejected: arg-type, reportArgumentType
    want_int(Plain().try_scale(1))  # rejected: arg-type, reportArgumentType
    want_int(Plain().scale_async(1))  # rejected: arg-type, reportArgumentType
    Plain().scale_async(1)  # rejected: unused-coroutine, reportUnusedCoroutine
    await Plain().scale(1)  # rejected: misc, reportGeneralTypeIssues
    want_int(Plain().run(1))  # rejected: arg-type, reportArgumentType
    Plain().run("1")  # rejected: arg-type, reportArgumentType
    Plain().static_task("1")  # rejected: arg-type, reportArgumentType
    Plain.static_task(Plain(), 1)  # rejected: call-arg, reportCallIssue
    Plain.class_task("1")  # rejected: arg-type, reportArgumentType
    Plain().class_task()  # rejected: call-arg, reportCallIssue
    want_int(Plain.class_flow(1))  # rejected: arg-type, reportArgumentType


def methods_of_a_dataclass() -> None:
    Data(1).scale("1")  # rejected: arg-type, reportArgumentType
    Data(1).scale()  # rejected: call-arg, reportCallIssue
    want_str(Data(1).scale(1))  # rejected: arg-type, reportArgumentType
    Data(1, Data.scale)  # rejected: call-arg, reportCallIssue
    Data("1")  # rejected: arg-type, reportArgumentType
    want_int(Data(1).run(1))  # rejected: arg-type, reportArgumentType


def methods_of_a_model() -> None:
    Model(factor=1).scale("1")  # rejected: arg-type, reportArgumentType
    Model(factor=1).scale()  # rejected: call-arg, reportCallIssue
    want_str(Model(factor=1).scale(1))  # rejected: arg-type, reportArgumentType
    Model(factor=1, scale=Model.scale)  # rejected: call-arg, reportCallIssue
    Model(factor="1")  # rejected: arg-type, reportArgumentType
    want_int(Model(factor=1).run(1))  # rejected: arg-type, reportArgumentType


# Subclasses


class Ingest(Flow[int]):
    url: str
    batch: int = 100

    def run(self) -> int:
        return self.batch

    @task
    def load(self, x: int) -> str:
        return str(x)


class Pick(Flow[T], Generic[T]):
    items: list[T]

    def run(self) -> T:
        return self.items[0]


class BadDefault(Flow[int]):
    batch: int = "many"  # rejected: assignment, reportAssignmentType


class BadOverride(Flow[int]):
    def execute(self) -> int:  # rejected: override, reportIncompatibleMethodOverride
        return 1


class BadConfig(FlowConfig):
    log_level: int = 10  # rejected: assignment, reportIncompatibleVariableOverride


def inputs_of_subclasses() -> None:
    Ingest()  # rejected: call-arg, reportCallIssue
    Ingest("https://example.org")  # rejected: call-arg, reportCallIssue
    Ingest(url=1)  # rejected: arg-type, reportArgumentType
    Ingest(url="", batch="many")  # rejected: arg-type, reportArgumentType
    Ingest(url="", bach=1)  # rejected: call-arg, reportCallIssue
    Ingest(url="", flow_config="quiet")  # rejected: arg-type, reportArgumentType
    Ingest(url="").batch = "many"  # rejected: assignment, reportAttributeAccessIssue
    Ingest(url="").load("1")  # rejected: arg-type, reportArgumentType
    want_str(Ingest(url="").batch)  # rejected: arg-type, reportArgumentType
    want_str(Ingest(url="").execute().return_value)  # rejected: arg-type, reportArgumentType
    want_str(Ingest(url="").flow_run.return_value)  # rejected: arg-type, reportArgumentType
    want_flow(Ingest(url=""))  # rejected: arg-type, reportArgumentType
    Pick(items=1)  # rejected: arg-type, reportArgumentType
    Pick[int](items=["a"])  # rejected: list-item, reportArgumentType
    want_str(Pick(items=[1]).execute().return_value)  # rejected: arg-type, reportArgumentType


# Injection


class Connection: ...


def connect() -> Connection:
    return Connection()


async def connect_async() -> Connection:
    return Connection()


def connected() -> Iterator[Connection]:
    yield Connection()


@task
def injected(x: int, flow_data: dict[str, Any] = INJECTED, connection: Connection = Inject(connect)) -> int:
    return x


@task
def wrong_function(x: int, connection: str = Inject(connect)) -> int:  # rejected: assignment, reportArgumentType
    return x


@task
async def wrong_async(x: int, link: str = Inject(connect_async)) -> int:  # rejected: assignment, reportArgumentType
    return x


@task
def wrong_generator(x: int, connection: str = Inject(connected)) -> int:  # rejected: assignment, reportArgumentType
    return x


@flow
def wrong_in_a_flow(connection: int = Inject(connected)) -> int:  # rejected: assignment, reportArgumentType
    return connection


def injection() -> None:
    injected()  # rejected: call-arg, reportCallIssue
    injected(1, flow_data=2)  # rejected: arg-type, reportArgumentType
    injected(1, connection="")  # rejected: arg-type, reportArgumentType
    Inject(connect, scope="task")  # rejected: call-overload, reportArgumentType
    Inject(3)  # rejected: call-overload, reportArgumentType
    Inject()  # rejected: call-overload, reportCallIssue
    Inject(connect, "flow")  # rejected: call-overload, reportCallIssue
    want_str(Inject(connect))  # rejected: arg-type, reportArgumentType


# Generators


@task
def numbers(n: int) -> Iterator[int]:
    yield n


@task
async def numbers_async(n: int) -> AsyncIterator[int]:
    yield n


@task
def running_total() -> Generator[int, int, str]:
    yield (yield 0)
    return ""


@task(raise_on_error=False)
def tolerant_numbers(n: int) -> Iterator[int]:
    yield n


@task(raise_on_error=False)
async def tolerant_numbers_async(n: int) -> AsyncIterator[int]:
    yield n


async def generators() -> None:
    want_str(next(tolerant_numbers(1)))  # rejected: arg-type, reportArgumentType
    tolerant_numbers("1")  # rejected: arg-type, reportArgumentType
    want_str(await anext(tolerant_numbers_async(1)))  # rejected: arg-type, reportArgumentType
    await tolerant_numbers_async(1)  # rejected: misc, reportGeneralTypeIssues
    list(map(want_str, numbers(1)))  # rejected: arg-type, reportArgumentType
    want_str(next(numbers(1)))  # rejected: arg-type, reportArgumentType
    numbers("1")  # rejected: arg-type, reportArgumentType
    running_total().send("1")  # rejected: arg-type, reportArgumentType
    want_str(running_total().send(1))  # rejected: arg-type, reportArgumentType
    await numbers_async(1)  # rejected: misc, reportGeneralTypeIssues
    want_str(await anext(numbers_async(1)))  # rejected: arg-type, reportArgumentType
    list(numbers_async(1))  # rejected: call-overload, reportArgumentType
    [_ async for _ in numbers(1)]  # rejected: attr-defined, reportGeneralTypeIssues
    await anext(numbers_async("1"))  # rejected: arg-type, reportArgumentType


# Callables


def render(number: int, unit: str) -> bytes:
    return f"{number} {unit}".encode()


class Renderer:
    def __call__(self, number: int) -> str:
        return str(number)


def callables() -> None:
    want_str(task(partial(render, 1))("m"))  # rejected: arg-type, reportArgumentType
    task(partial(render, "1"))  # rejected: arg-type, reportArgumentType
    want_int(flow(partial(render, 1))("m"))  # rejected: arg-type, reportArgumentType
    task(Renderer())("1")  # rejected: arg-type, reportArgumentType
    flow(Renderer())("1")  # rejected: arg-type, reportArgumentType
    want_int(task(Renderer())(1))  # rejected: arg-type, reportArgumentType
    want_str(flow(Renderer())(1))  # rejected: arg-type, reportArgumentType
    want_str(task(raise_on_error=False)(Renderer())(1))  # rejected: arg-type, reportArgumentType
    bind_context(3)  # rejected: arg-type, reportArgumentType
    bind_context(bare)("1")  # rejected: arg-type, reportArgumentType
    want_int(bind_context(bare)(1))  # rejected: arg-type, reportArgumentType
    Task(3)  # rejected: arg-type, reportArgumentType
    Task()  # rejected: call-arg, reportCallIssue
    Task(bare, 1).task_name = 1  # rejected: assignment, reportAttributeAccessIssue
    Task(bare, 1).task_id = "task-1"  # rejected: misc, reportAttributeAccessIssue


# Context, events, records


def on_text(text: str) -> None: ...


def on_nothing() -> None: ...


def on_event(event: FlowEvent) -> None: ...


async def context_and_events() -> None:
    current_flow_or_none().flow_name  # rejected: union-attr, reportOptionalMemberAccess
    current_task_or_none().task_name  # rejected: union-attr, reportOptionalMemberAccess
    want_str(current_task().remaining)  # rejected: arg-type, reportArgumentType
    flow_events.subscribe(on_text)  # rejected: arg-type, reportArgumentType
    flow_events.subscribe(on_nothing)  # rejected: arg-type, reportArgumentType
    flow_events.subscribe(on_event, "task_stop")  # rejected: arg-type, reportArgumentType
    flow_events.subscribe(on_event, flow_name=EventType)  # rejected: arg-type, reportArgumentType
    flow_events.event_listeners.append(on_text)  # rejected: arg-type, reportArgumentType
    work(1).add_listener(on_text)  # rejected: arg-type, reportArgumentType
    work(1).add_listener(on_event, flow_name="work")  # rejected: call-arg, reportCallIssue
    EventType.TASK_PAUSED  # rejected: attr-defined, reportAttributeAccessIssue
    list(flow_events.stream())  # rejected: call-overload, reportArgumentType
    flow_events.stream(max_pending="10")  # rejected: arg-type, reportArgumentType


def configs_and_records() -> None:
    FlowConfig(log_level="LOUD")  # rejected: arg-type, reportArgumentType
    FlowConfig(log_levle="INFO")  # rejected: call-arg, reportCallIssue
    FlowConfig(redact="password")  # rejected: arg-type, reportArgumentType
    FlowConfig(max_logs="100")  # rejected: arg-type, reportArgumentType
    want_str(FlowRun[int].model_validate_json("").return_value)  # rejected: arg-type, reportArgumentType
    want_int(FlowRun[int].model_validate_json("").return_value)  # rejected: arg-type, reportArgumentType
    want_str(work(1).flow_run.error.message)  # rejected: union-attr, reportOptionalMemberAccess
    want_int(work(1).flow_run.tasks[0].duration)  # rejected: arg-type, reportArgumentType


# Executors


@task
def one_item(x: int) -> str:
    return str(x)


@task
async def one_item_async(x: int) -> str:
    return str(x)


@task(raise_on_error=False)
def tolerant_item(x: int) -> str:
    return str(x)


@task
def two_items(x: int, y: str) -> str:
    return f"{x}{y}"


def want_future(value: TaskFuture[int]) -> None: ...


def arguments_of_submit() -> None:
    submit(one_item, "1")  # rejected: call-overload, reportArgumentType
    submit(one_item)  # rejected: call-overload, reportCallIssue
    submit(one_item, 1, 2)  # rejected: call-overload, reportCallIssue
    submit(one_item, y=1)  # rejected: call-overload, reportCallIssue
    submit(one_item_async, "1")  # rejected: call-overload, reportArgumentType
    submit(one_item_async)  # rejected: call-overload, reportCallIssue
    submit(Plain().scale, "1")  # rejected: call-overload, reportArgumentType
    submit(Data(1).scale, Data(1), 1)  # rejected: call-overload, reportCallIssue
    submit(Model(factor=1).scale)  # rejected: call-overload, reportCallIssue
    submit(Data.scale, 1)  # rejected: call-overload, reportCallIssue
    submit(3)  # rejected: call-overload, reportArgumentType
    submit(one_item(1))  # rejected: call-overload, reportArgumentType
    submit()  # rejected: call-overload, reportCallIssue


async def values_of_futures() -> None:
    want_int(submit(one_item, 1).result())  # rejected: arg-type, reportArgumentType
    want_int(submit(one_item_async, 1).result())  # rejected: arg-type, reportArgumentType
    want_str(submit(tolerant_item, 1).result())  # rejected: arg-type, reportArgumentType
    want_int(await submit(one_item_async, 1))  # rejected: call-overload, reportArgumentType
    want_str(submit(one_item, 1))  # rejected: arg-type, reportArgumentType
    want_future(submit(one_item, 1))  # rejected: call-overload, reportArgumentType
    await submit(one_item, 1).result()  # rejected: misc, reportGeneralTypeIssues
    submit(one_item, 1).result("1")  # rejected: arg-type, reportArgumentType
    submit(one_item, 1).value  # rejected: attr-defined, reportAttributeAccessIssue
    submit(one_item, 1).exception().args  # rejected: union-attr, reportOptionalMemberAccess
    submit(one_item, 1).status = RunStatus.COMPLETED  # rejected: misc, reportAttributeAccessIssue


async def maps_of_tasks() -> None:
    map_tasks(one_item, ["1"])  # rejected: arg-type, reportArgumentType
    map_tasks(one_item, 3)  # rejected: call-overload, reportArgumentType
    map_tasks(two_items, [1])  # rejected: arg-type, reportArgumentType
    map_tasks(one_item, [1], 2)  # rejected: call-overload, reportCallIssue
    map_tasks(one_item, [1], limit="2")  # rejected: call-overload, reportArgumentType
    map_tasks(one_item)  # rejected: call-overload, reportCallIssue
    want_int(next(iter(map_tasks(one_item, [1]))))  # rejected: arg-type, reportArgumentType
    want_int(await anext(aiter(map_tasks(one_item_async, [1]))))  # rejected: arg-type, reportArgumentType
    want_str(next(iter(map_tasks(tolerant_item, [1]))))  # rejected: arg-type, reportArgumentType
    await map_tasks(one_item_async, [1])  # rejected: misc, reportGeneralTypeIssues
    map_tasks(one_item, [1])[0]  # rejected: index, reportIndexIssue
    next(map_tasks(one_item, [1]))  # rejected: call-overload, reportArgumentType


def choices_of_executors() -> None:
    use_executor("threads")  # rejected: arg-type, reportArgumentType
    use_executor(None)  # rejected: arg-type, reportArgumentType
    use_executor(ThreadExecutor)  # rejected: arg-type, reportArgumentType
    task(executor="threads")  # rejected: call-overload, reportArgumentType
    task(executor=3)  # rejected: call-overload, reportArgumentType
    ThreadExecutor("8")  # rejected: arg-type, reportArgumentType
    ProcessExecutor(start_method="fork")  # rejected: arg-type, reportArgumentType
    ProcessExecutor(2, "spawn")  # rejected: call-arg, reportCallIssue
    Executor()  # rejected: abstract, reportAbstractUsage
