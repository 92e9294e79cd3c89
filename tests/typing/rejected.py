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
    Flow,
    FlowConfig,
    FlowEvent,
    FlowRun,
    Inject,
    RunStatus,
    Task,
    bind_context,
    current_flow_or_none,
    current_task,
    current_task_or_none,
    flow,
    flow_events,
    task,
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
    bare("1")  # rejected: x
    bare()  # rejected: x
    bare(1, "!")  # rejected: x
    bare(1, suffix=2)  # rejected: x
    bare(1, sufix="!")  # rejected: x
    bare(x=None)  # rejected: x
    bare(*[1, 2], y=3)  # rejected: x
    called("1")  # rejected: x
    called()  # rejected: x
    tolerant("1")  # rejected: x
    tolerant(x=1, y=2)  # rejected: x


def values_of_tasks() -> None:
    want_int(bare(1))  # rejected: x
    want_int(called(1))  # rejected: x
    want_str(tolerant(1))  # rejected: x
    tolerant(1).upper()  # rejected: x
    len(tolerant(1))  # rejected: x
    bare(1).execute()  # rejected: x
    want_formatter(tolerant)  # rejected: x
    want_formatter(bare_async)  # rejected: x
    list(map(bare, ["1"]))  # rejected: x


async def awaiting_tasks() -> None:
    await bare(1)  # rejected: x
    await tolerant(1)  # rejected: x
    await bare_async("1")  # rejected: x
    await called_async()  # rejected: x
    bare_async(1)  # rejected: x
    called_async(1)  # rejected: x
    tolerant_async(1)  # rejected: x
    want_str(bare_async(1))  # rejected: x
    bare_async(1).upper()  # rejected: x
    want_int(await bare_async(1))  # rejected: x
    want_str(await tolerant_async(1))  # rejected: x
    (await tolerant_async(1)).upper()  # rejected: x
    await asyncio.gather(bare_async("1"), called_async(2))  # rejected: x
    await asyncio.gather(bare(1))  # rejected: x
    await asyncio.to_thread(bare, "1")  # rejected: x
    asyncio.create_task(bare(1))  # rejected: x


# Options


def options_of_tasks() -> None:
    task(retries="2")  # rejected: x
    task(retry=2)  # rejected: x
    task(task_name=1)  # rejected: x
    task(retry_delay="1s")  # rejected: x
    task(retry_on=int)  # rejected: x
    task(retry_on=KeyboardInterrupt)  # rejected: x
    task(retry_on=(ValueError, str))  # rejected: x
    task(retry_on=ValueError("no"))  # rejected: x
    task(retry_on=[ValueError])  # rejected: x
    task(timeout="1")  # rejected: x
    task(tags="urgent")  # rejected: x
    task(raise_on_error=None)  # rejected: x
    task(raise_on_error=False, retires=2)  # rejected: x
    task("name")  # rejected: x
    task(3)  # rejected: x
    task(plain, retries=2)  # rejected: x
    task(retries=2)(3)  # rejected: x


def options_of_flows() -> None:
    flow(flow_name=1)  # rejected: x
    flow(name="ingest")  # rejected: x
    flow(retries=2)  # rejected: x
    flow(flow_config={"print_logs": True})  # rejected: x
    flow(validate="no")  # rejected: x
    flow(tags="urgent")  # rejected: x
    flow("name")  # rejected: x
    flow(3)  # rejected: x
    flow(plain, flow_name="plain")  # rejected: x
    flow(flow_name="plain")(3)  # rejected: x


@task(retry_on=dict)  # rejected: x
def decorated_with_a_wrong_option() -> None: ...


@flow(retries=2)  # rejected: x
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
    work("1")  # rejected: x
    work()  # rejected: x
    work(1, "!")  # rejected: x
    work(1, suffix=2)  # rejected: x
    work(1, depth=2)  # rejected: x
    work_async("1")  # rejected: x
    work_async()  # rejected: x


def a_flow_is_not_its_value() -> None:
    want_str(work(1))  # rejected: x
    want_str(work_async(1))  # rejected: x
    want_str(work(1).execute())  # rejected: x
    want_str(work_async(1).execute())  # rejected: x
    work(1).upper()  # rejected: x
    work(1).execute().upper()  # rejected: x
    want_formatter(work)  # rejected: x


async def an_awaited_flow_is_not_its_value() -> None:
    want_str(await work(1))  # rejected: x
    want_str(await work_async(1))  # rejected: x
    want_str(await work_async(1).execute_async())  # rejected: x
    work_async(1).execute_async()  # rejected: x
    want_int((await work_async(1)).return_value)  # rejected: x
    await work_async(1).return_value  # rejected: x
    await asyncio.gather(work_async("1"))  # rejected: x


def values_of_flows() -> None:
    want_int(work(1).return_value)  # rejected: x
    want_int(work_async(1).execute().return_value)  # rejected: x
    want_str(work(1).flow_run.return_value)  # rejected: x
    want_str(count(1).flow_run.return_value or 0)  # rejected: x
    want_flow(count(1))  # rejected: x
    want_record(count(1).flow_run)  # rejected: x
    work(1).return_value = "2"  # rejected: x
    work(1).flow_run = work(2).flow_run  # rejected: x
    work(1).status = RunStatus.COMPLETED  # rejected: x
    work(1).flow_error = None  # rejected: x
    work(1).flow_name = 1  # rejected: x
    work(1).flow_error.args  # rejected: x
    work(1).result  # rejected: x


def methods_of_flows() -> None:
    work(1).execute(2)  # rejected: x
    work(1).execute_flow(2)  # rejected: x
    work(1).setup(2)  # rejected: x
    work(1).provide({"database": 1})  # rejected: x
    work(1).log_info(1)  # rejected: x
    work(1).add_flow_result()  # rejected: x
    work(1).add_flow_artifact(name="plot")  # rejected: x
    work(1).durations().flow_tasks[1]  # rejected: x
    work(1).durations_with_tasks_status().flow_tasks["step"]  # rejected: x
    Flow[int]().setup(len, "a").execute().return_value.upper()  # rejected: x


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
    Plain().scale("1")  # rejected: x
    Plain().scale()  # rejected: x
    Plain().scale(Plain(), 1)  # rejected: x
    Plain.scale(1)  # rejected: x
    want_str(Plain().scale(1))  # rejected: x
    want_int(Plain().try_scale(1))  # rejected: x
    want_int(Plain().scale_async(1))  # rejected: x
    Plain().scale_async(1)  # rejected: x
    await Plain().scale(1)  # rejected: x
    want_int(Plain().run(1))  # rejected: x
    Plain().run("1")  # rejected: x
    Plain().static_task("1")  # rejected: x
    Plain.static_task(Plain(), 1)  # rejected: x
    Plain.class_task("1")  # rejected: x
    Plain().class_task()  # rejected: x
    want_int(Plain.class_flow(1))  # rejected: x


def methods_of_a_dataclass() -> None:
    Data(1).scale("1")  # rejected: x
    Data(1).scale()  # rejected: x
    want_str(Data(1).scale(1))  # rejected: x
    Data(1, Data.scale)  # rejected: x
    Data("1")  # rejected: x
    want_int(Data(1).run(1))  # rejected: x


def methods_of_a_model() -> None:
    Model(factor=1).scale("1")  # rejected: x
    Model(factor=1).scale()  # rejected: x
    want_str(Model(factor=1).scale(1))  # rejected: x
    Model(factor=1, scale=Model.scale)  # rejected: x
    Model(factor="1")  # rejected: x
    want_int(Model(factor=1).run(1))  # rejected: x


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
    batch: int = "many"  # rejected: x


class BadOverride(Flow[int]):
    def execute(self) -> int:  # rejected: x
        return 1


class BadConfig(FlowConfig):
    log_level: int = 10  # rejected: x


def inputs_of_subclasses() -> None:
    Ingest()  # rejected: x
    Ingest("https://example.org")  # rejected: x
    Ingest(url=1)  # rejected: x
    Ingest(url="", batch="many")  # rejected: x
    Ingest(url="", bach=1)  # rejected: x
    Ingest(url="", flow_config="quiet")  # rejected: x
    Ingest(url="").batch = "many"  # rejected: x
    Ingest(url="").load("1")  # rejected: x
    want_str(Ingest(url="").batch)  # rejected: x
    want_str(Ingest(url="").execute().return_value)  # rejected: x
    want_str(Ingest(url="").flow_run.return_value)  # rejected: x
    want_flow(Ingest(url=""))  # rejected: x
    Pick(items=1)  # rejected: x
    Pick[int](items=["a"])  # rejected: x
    want_str(Pick(items=[1]).execute().return_value)  # rejected: x


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
def wrong_function(x: int, connection: str = Inject(connect)) -> int:  # rejected: x
    return x


@task
async def wrong_async_function(x: int, connection: str = Inject(connect_async)) -> int:  # rejected: x
    return x


@task
def wrong_generator(x: int, connection: str = Inject(connected)) -> int:  # rejected: x
    return x


@flow
def wrong_in_a_flow(connection: int = Inject(connected, scope="flow")) -> int:  # rejected: x
    return connection


def injection() -> None:
    injected()  # rejected: x
    injected(1, flow_data=2)  # rejected: x
    injected(1, connection="")  # rejected: x
    Inject(connect, scope="task")  # rejected: x
    Inject(3)  # rejected: x
    Inject()  # rejected: x
    Inject(connect, "flow")  # rejected: x
    want_str(Inject(connect))  # rejected: x


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


async def generators() -> None:
    list(map(want_str, numbers(1)))  # rejected: x
    want_str(next(numbers(1)))  # rejected: x
    numbers("1")  # rejected: x
    running_total().send("1")  # rejected: x
    want_str(running_total().send(1))  # rejected: x
    await numbers_async(1)  # rejected: x
    want_str(await anext(numbers_async(1)))  # rejected: x
    list(numbers_async(1))  # rejected: x
    _ = [number async for number in numbers(1)]  # rejected: x
    await anext(numbers_async("1"))  # rejected: x


# Callables


def render(number: int, unit: str) -> bytes:
    return f"{number} {unit}".encode()


class Renderer:
    def __call__(self, number: int) -> str:
        return str(number)


def callables() -> None:
    want_str(task(partial(render, 1))("m"))  # rejected: x
    task(partial(render, "1"))  # rejected: x
    want_int(flow(partial(render, 1))("m"))  # rejected: x
    task(Renderer())("1")  # rejected: x
    flow(Renderer())("1")  # rejected: x
    want_int(task(Renderer())(1))  # rejected: x
    want_str(flow(Renderer())(1))  # rejected: x
    want_str(task(raise_on_error=False)(Renderer())(1))  # rejected: x
    bind_context(3)  # rejected: x
    bind_context(bare)("1")  # rejected: x
    want_int(bind_context(bare)(1))  # rejected: x
    Task(3)  # rejected: x
    Task()  # rejected: x
    Task(bare, 1).task_name = 1  # rejected: x
    Task(bare, 1).task_id = "task-1"  # rejected: x


# Context, events, records


def on_text(text: str) -> None: ...


def on_nothing() -> None: ...


def on_event(event: FlowEvent) -> None: ...


async def context_and_events() -> None:
    current_flow_or_none().flow_name  # rejected: x
    current_task_or_none().task_name  # rejected: x
    want_str(current_task().remaining)  # rejected: x
    flow_events.subscribe(on_text)  # rejected: x
    flow_events.subscribe(on_nothing)  # rejected: x
    flow_events.subscribe(on_event, "task_stop")  # rejected: x
    flow_events.subscribe(on_event, flow_name=EventType)  # rejected: x
    flow_events.event_listeners.append(on_text)  # rejected: x
    work(1).add_listener(on_text)  # rejected: x
    work(1).add_listener(on_event, flow_name="work")  # rejected: x
    EventType.TASK_PAUSED  # rejected: x
    list(flow_events.stream())  # rejected: x
    flow_events.stream(max_pending="10")  # rejected: x


def configs_and_records() -> None:
    FlowConfig(log_level="LOUD")  # rejected: x
    FlowConfig(log_levle="INFO")  # rejected: x
    FlowConfig(redact="password")  # rejected: x
    FlowConfig(max_logs="100")  # rejected: x
    want_str(FlowRun[int].model_validate_json("").return_value)  # rejected: x
    want_int(FlowRun[int].model_validate_json("").return_value)  # rejected: x
    want_str(work(1).flow_run.error.message)  # rejected: x
    want_int(work(1).flow_run.tasks[0].duration)  # rejected: x
