"""Programs of tasks of all kinds, whose runs are compared with their events."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from flowscope import current_flow, current_task, flow, get_run_logger, map_tasks, submit, task

Step = tuple[str, Any]


@task(tags=("law",), run_name="work on {value!r:.5}")
def work(value: Any, *, named: Any = None) -> Any:
    """Print, record and return."""
    print("working on", value)
    current_task().progress(1, 2, "half of it")
    current_task().progress(2, 2)
    current_task().log_info("with fields", value=value, password="a-secret-word")
    try:
        raise LookupError("logged")
    except LookupError:
        get_run_logger().exception("an exception")
    current_flow().add_flow_artifact("what it got", key="artifact", data=[value, named], artifact_type="plain")
    return value


@task(raise_on_error=False)
def tolerated(value: Any) -> int:
    """Fail, and go on."""
    raise ValueError(f"no {value}")


@task(retries=2, raise_on_error=False)
def insist(failures: int) -> int:
    """Fail so many times."""
    if current_task().attempt <= failures:
        raise LookupError(f"attempt {current_task().attempt}")
    return current_task().attempt


@task
async def wait(value: Any, password: str = "a-secret-word") -> Any:
    """Let others run."""
    print("no newline", end="")
    await asyncio.sleep(0)
    return work(value, named={"password": "another-secret"})


@task
def count(to: int) -> Iterator[int]:
    """A generator."""
    yield from range(to)


@task
async def count_async(to: int) -> AsyncIterator[int]:
    """An async one."""
    for number in range(to):
        yield number


@task
def rename(name: str) -> None:
    """Change the name of this call."""
    current_task().task_name = name or "renamed"


@task
def nested(program: list[Step]) -> None:
    """Tasks inside a task."""
    run_steps(program)


@flow
def inner(value: Any) -> Any:
    """A nested flow."""
    return work(value)


def run_steps(program: list[Step]) -> None:
    """Run a program of sync steps."""
    for kind, value in program:
        match kind:
            case "work":
                work(value, named=value)
            case "tolerated":
                tolerated(value)
            case "insist":
                insist(value)
            case "count":
                list(count(value))
            case "half":
                numbers = count(value + 2)
                next(iter(numbers))
                numbers.close()  # type: ignore[attr-defined] # it is a generator
            case "rename":
                rename(value)
            case "nested":
                nested(value)
            case "inner":
                inner(value).execute()
            case "log":
                current_flow().log_warning(str(value))
                current_flow().add_flow_result("key", "description", value)
            case "thread":
                submit(work, value).result()
            case "map":
                list(map_tasks(insist, range(value)))
            case "raise":
                raise RuntimeError(value)
            case _:
                raise AssertionError(kind)


def steps_of(program: list[Step]) -> str:
    """A run name."""
    return f"program of {len(program)} steps"


@flow(tags=("law",), run_name=steps_of)
def sync_program(program: list[Step]) -> Any:
    """Run the steps."""
    run_steps(program)
    return {"steps": len(program), "token": "secret-token"}


@flow
async def async_program(program: list[Step]) -> Any:
    """Run the steps between awaits, and some at the same time."""
    await asyncio.gather(wait(1), wait(2), *(submit(wait, number) for number in range(3)))
    run_steps(program)
    async for _ in count_async(2):
        await asyncio.sleep(0)
    return len(program)


@task
def nested_work(value: Any) -> Any:
    """Tasks inside a task, also in a worker process."""
    insist(2)
    insist(5)
    tolerated(value)
    return work(value)
