"""Tasks that say, find and call much, where worker processes can import them."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Generator
from typing import Any, Final

from flowscope import (
    INJECTED,
    Flow,
    FlowConfig,
    bind_context,
    current_flow,
    current_task,
    flow,
    map_tasks,
    submit,
    task,
    use_executor,
)

from .gate import Address, pass_gate

__all__ = ["LOUD", "PRIVATE", "Boom"]

LOUD: Final = logging.getLogger("support.executors.process_tasks.loud")
LOUD.setLevel(logging.DEBUG)
PRIVATE: Final = logging.getLogger("support.executors.process_tasks.private")
PRIVATE.propagate = False


class Boom(Exception):
    """What goes wrong here."""


@task
def pid() -> int:
    return os.getpid()


@task
def echo(value: Any) -> Any:
    return value


@task
def measure(value: Any) -> int:
    return len(value)


@task
def make_bytes(size: int) -> bytes:
    return b"\x00" * size


@task
def talk() -> None:
    """Say something in every way, one after the other."""
    running = current_task()
    running.log_debug("debug by the task")
    print("printed")
    LOUD.info("logged %d", 1)
    print("to stderr", file=sys.stderr)
    current_flow().log_warning("warned by the flow")
    PRIVATE.error("in private")
    print("two\nlines")
    running.log_error("error by the task")
    sys.stdout.write("written\n")
    sys.stdout.writelines(["w1\n", "w2\n"])
    LOUD.critical("the end")


@task
def stammer() -> None:
    """Print parts of lines."""
    print("one ", end="")
    current_task().log_info("between the parts")
    print("line", end="")
    print()
    print("a\nb\nc ", end="")
    print("to stderr ", end="", file=sys.stderr)
    print("and d", end="\r\n")
    print("", end="")
    print()
    print("err", file=sys.stderr)
    print("never ended", end="")
    print("nor this", end="", file=sys.stderr)


STRANGE: Final = (
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;https://example.org\x07link\x1b]8;;\x07",
    "lone \ud800 surrogate",
    "null \x00 byte",
    "tab\tand\x08backspace",
    "\u2028 separator",
    "astral \U0001f600",
    "carriage\rreturn",
    "form\x0cfeed \x1c \x85",
)


@task
def mumble() -> None:
    """Print, log and record strange text."""
    for text in STRANGE:
        print(text)
        current_task().log_info(text)
        LOUD.info(text)
        current_task().add_result(text, text, text)
        current_task().add_artifact(text, text, text, text)


class Sly(str):
    """Text that says something else."""

    __slots__ = ()

    def __str__(self) -> str:
        return "sly"


@task
def say_objects() -> None:
    """Say what is no plain text."""
    message: Any
    for message in (Sly("text"), 5, None, ["a"], Boom("b")):
        print(message)
        current_task().log_info(message)
        LOUD.info(message)
    LOUD.info("%s and %r", Sly("text"), Sly("text"))
    try:
        raise Boom("told")
    except Boom:
        LOUD.exception("and its traceback")


@task
def print_lines(count: int, size: int) -> None:
    line = "x" * size
    for number in range(count):
        print(number, line)


@task
def print_at_once(count: int, size: int) -> None:
    print("\n".join("y" * size for _ in range(count)))


@task
def print_in_threads(threads: int, lines: int) -> None:
    """Print lines, in parts, in several threads."""

    def work(number: int) -> None:
        for line in range(lines):
            print(f"{number}:", end="")
            print(f"{line}:", end="")
            print("end")

    made = [threading.Thread(target=bind_context(work), args=(number,)) for number in range(threads)]
    for one in made:
        one.start()
    for one in made:
        one.join()


@task
def print_in_bare_thread() -> None:
    """Print in a thread that is bound to nothing."""
    thread = threading.Thread(target=print, args=("by a bare thread",))
    thread.start()
    thread.join()


@task
async def print_in_to_thread() -> None:
    print("before")
    await asyncio.to_thread(print, "by to_thread")
    print("after")


LEFT: Final[list[threading.Event]] = []


@task
def leave_a_thread_that_prints() -> None:
    """Leave a thread behind that prints, logs and calls a task when `release_threads` says so."""
    released = threading.Event()
    LEFT.append(released)
    told = current_task()

    def work() -> None:
        released.wait(30)
        print("too late")
        LOUD.error("too late")
        told.log_info("too late")
        try:
            leaf(1)
        except RuntimeError:
            ended.set()

    ended = threading.Event()
    LEFT.append(ended)
    threading.Thread(target=bind_context(work), daemon=True).start()


@task
def release_threads() -> bool:
    """Let the thread go on that was left, and wait until it has ended."""
    released, ended = LEFT
    LEFT.clear()
    released.set()
    return ended.wait(20)


@task
def talk_then_wait(gate: Address) -> str:
    print("said before the wait")
    print("begun ", end="")
    current_task().log_info("logged before the wait")
    LOUD.info("by logging before the wait")
    current_task().add_artifact(key="early", data=1)
    current_task().add_result("early", value=2)
    leaf(3)
    pass_gate(gate)
    print("ended")
    return "done"


@task(timeout=1.0)
def talk_then_expire(gate: Address) -> None:
    outer_talk_then_wait(gate)


@task
def talk_then_be_killed(gate: Address) -> None:
    outer_talk_then_wait(gate)


@task
def outer_talk_then_wait(gate: Address) -> None:
    talk_then_wait(gate)


@task
def talk_then_die(code: int) -> None:
    print("said before the end")
    current_task().log_info("logged before the end")
    current_task().add_result("early", value=2)
    leaf(3)
    print("begun ", end="")
    os._exit(code)


@task(tags=("leaf",))
def leaf(number: int, *, factor: int = 1) -> int:
    print(f"leaf {number}")
    return number * factor


@task(tags=("leaf",))
async def leaf_async(number: int) -> int:
    print(f"leaf {number} begins")
    await asyncio.sleep(0)
    print(f"leaf {number} ends")
    return number


@task
def fail(reason: str) -> None:
    print("about to fail")
    raise Boom(reason)


@task(raise_on_error=False)
def fail_quietly(reason: str) -> str:
    raise Boom(reason) from LookupError("the root")


@task(retries=2, retry_on=Boom)
def fail_at_first(times: int) -> int:
    if current_task().attempt <= times:
        raise Boom(f"attempt {current_task().attempt}")
    return current_task().attempt


@task(retries=1, raise_on_error=False)
def fail_always() -> None:
    leaf(current_task().attempt)
    raise Boom("always")


@task
def count(to: int) -> Generator[int]:
    print("counting")
    for number in range(to):
        yield leaf(number)
    print("counted")


@task
async def count_async(to: int) -> AsyncIterator[int]:
    for number in range(to):
        yield await leaf_async(number)


@task
def call_many() -> int:
    """Nested calls of all kinds."""
    print("begins")
    found = leaf(1) + leaf(2, factor=3)
    fail_quietly("tolerated")
    found += fail_at_first(2)
    fail_always()
    try:
        fail("caught")
    except Boom as error:
        current_task().log_info(f"caught {error} with {len(error.__notes__)} notes")
    print("ends")
    return found


@task
def call_deep(depth: int) -> int:
    print(f"down at {depth}")
    found = call_deep(depth - 1) + 1 if depth else 0
    print(f"up at {depth}")
    return found


@task
def call_generators() -> list[int]:
    found = list(count(3))
    half = count(5)
    found.append(next(half))
    half.close()
    return found


@task
async def gather_many() -> list[int]:
    found = await asyncio.gather(*(leaf_async(number) for number in range(5)))
    return [*found, *[number async for number in count_async(2)]]


@task
async def gather_failing() -> list[Any]:
    calls = [leaf_async(1), fail_async("one"), leaf_async(2)]
    found: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    return [one if isinstance(one, int) else str(one) for one in found]


@task
async def fail_async(reason: str) -> int:
    await asyncio.sleep(0)
    raise Boom(reason)


@task
def submit_many() -> list[int]:
    """Submit to a thread, so that the order of what they say is known."""
    found = [submit(leaf, number).result() for number in range(3)]
    with use_executor("thread"):
        found.append(submit(leaf, 3).result())
        found += map_tasks(leaf, [4, 5], limit=1)
    return found


@task
async def submit_many_async() -> list[int]:
    return [await submit(leaf_async, number) for number in range(3)]


@task
def find_everything() -> None:
    """Record artifacts and results, in nested tasks too."""
    running = current_task()
    running.add_artifact("a table", "table", {"rows": [1, 2]}, "json")
    running.add_result("rows", "how many", 2)
    find_more()
    current_flow().add_flow_artifact(key="of the flow", data=(1, 2))
    current_flow().add_flow_result("of the flow", value={3})


@task
def find_more() -> None:
    current_task().add_result("inner", value="nested")


@task(tags=("x", "y"))
def fail_inside() -> None:
    leaf(1)
    fail("from inside")


OPEN: Final[list[Generator[int]]] = []


@task
def leave_a_generator() -> int:
    """Leave a nested generator task half done, and hold it."""
    OPEN.clear()
    OPEN.append(count(5))
    return next(OPEN[0])


@task(timeout=0.05, raise_on_error=False)
def expire_inside() -> None:
    print("about to be late")
    threading.Event().wait(0.5)


@task(timeout=0.05, raise_on_error=False)
async def expire_inside_async() -> None:
    print("about to be late")
    await asyncio.sleep(30)


@task
async def expire_nested() -> str:
    expire_inside()
    await expire_inside_async()
    return "in time"


@task
def recurse_for_ever(depth: int = 0) -> int:
    return deeper(depth)


def deeper(depth: int) -> int:
    return deeper(depth + 1) + 1


@task
def want_too_much() -> int:
    return len(bytearray(2**62))


@task
def raise_inside(kind: type[BaseException]) -> str:
    """Have a nested task raise what is no `Exception`, and catch it."""
    try:
        raise_it(kind)
    except BaseException as error:
        return type(error).__name__
    return "nothing"


@task
def raise_it(kind: type[BaseException]) -> None:
    raise kind("raised")


@flow(flow_name="inner flow")
def inner_flow(number: int) -> int:
    print("in the inner flow")
    return leaf(number) + leaf(number)


@task
def run_a_flow(number: int) -> tuple[Any, ...]:
    print("before the inner flow")
    inner = inner_flow(number).execute()
    print("after the inner flow")
    record = inner.flow_run
    return (
        record.parent_flow_id,
        inner.return_value,
        [one.task_name for one in record.tasks],
        [entry.message for entry in record.logs if entry.source == "stdout"],
        current_flow().flow_id,
    )


@flow(flow_config=FlowConfig(raise_flow_error=False))
def failing_flow() -> None:
    leaf(1)
    raise Boom("of the inner flow")


@task
def run_a_failing_flow() -> tuple[str, str]:
    inner = failing_flow().execute()
    return inner.status.value, str(inner.flow_error)


@task
def pass_data_on(flow_data: dict[str, Any] = INJECTED) -> Any:
    """Hand the snapshot of the shared data to whatever records it."""
    echo(flow_data)
    current_task().add_artifact(key="data", data=flow_data)
    current_task().add_result("data", value=flow_data)
    return flow_data


@task
def pass_flow_on(this_flow: Flow[Any] = INJECTED) -> str:
    name: str = name_of(this_flow)
    return name


@task
def name_of(given: Flow[Any]) -> str:
    return given.flow_name
