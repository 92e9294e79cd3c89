"""Capture under concurrency: nothing is mixed, nothing is lost, and the streams come back."""

import asyncio
import io
import logging
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from flowscope import Flow, bind_context, flow, task

N_FLOWS = 20
N_THREADS = 8
N_LINES = 25

library = logging.getLogger("tests.library")
library.setLevel(logging.DEBUG)
library.propagate = False


def messages(run: Flow[Any], source: str) -> list[str]:
    return [entry.message for entry in run.captured_logs() if entry.source == source]


def at_once(functions: list[Callable[[], Any]]) -> list[Any]:
    """Call the functions in a thread each, all let go at the same moment; what they returned."""
    start = threading.Barrier(len(functions))

    def run(function: Callable[[], Any]) -> Any:
        start.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


@task
async def chatter(name: str) -> str:
    for i in range(N_LINES):
        print(name, "task", i)
        await asyncio.sleep(0)
        print(name, "err", i, file=sys.stderr)
        library.info("%s log %d", name, i)
    return name


@flow
async def chatty(name: str) -> str:
    print(name, "start")
    await asyncio.gather(*(chatter(f"{name}.{i}") for i in range(3)))
    print(name, "end")
    return name


def check(run: Flow[Any]) -> None:
    """Each task has its own lines, all and in order, and the flow has its own."""
    name = run.return_value
    record = run.flow_run
    assert len(record.tasks) == 3
    for recorded in record.tasks:
        own = recorded.return_value
        lines = [e for e in record.logs if e.task_id == recorded.task_id]
        assert [e.message for e in lines if e.source == "stdout"] == [f"{own} task {i}" for i in range(N_LINES)]
        assert [e.message for e in lines if e.source == "stderr"] == [f"{own} err {i}" for i in range(N_LINES)]
        assert [e.message for e in lines if e.source == "logging"] == [f"{own} log {i}" for i in range(N_LINES)]
    assert [e.message for e in record.logs if e.task_id is None and e.source == "stdout"] == [
        f"{name} start",
        f"{name} end",
    ]
    assert len(record.logs) == 3 * 3 * N_LINES + 3


async def test_concurrent_async_flows_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty flows in one loop, printing and logging at once, record exactly their own lines."""
    runs = await asyncio.gather(*(chatty(f"f{i}").execute_async() for i in range(N_FLOWS)))
    for run in runs:
        check(run)
    assert capsys.readouterr() == ("", "")


def test_concurrent_flows_in_threads_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    """Eight threads with a loop each, printing and logging at once, record exactly their own lines."""
    before = (sys.stdout, sys.stderr)
    runs = at_once([chatty(f"t{i}").execute for i in range(N_THREADS)])
    for run in runs:
        check(run)
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("", "")


def test_threads_of_one_flow_do_not_mix() -> None:
    """Eight bound threads of one task that print lines of several pieces at once record whole lines."""

    def talk(name: int) -> None:
        for i in range(N_LINES):
            print(name, "says", i)
            library.debug("%d logs %d", name, i)

    @task
    def many() -> None:
        bound = bind_context(talk)
        at_once([partial(bound, n) for n in range(N_THREADS)])

    @flow
    def threaded() -> None:
        many()

    run = threaded().execute()
    assert sorted(messages(run, "stdout")) == sorted(f"{n} says {i}" for n in range(N_THREADS) for i in range(N_LINES))
    assert sorted(messages(run, "logging")) == sorted(f"{n} logs {i}" for n in range(N_THREADS) for i in range(N_LINES))
    assert {e.task_id for e in run.captured_logs()} == {run.executed_tasks[0].task_id}


async def test_concurrent_partial_lines_are_joined_per_task() -> None:
    """Tasks that print their lines in pieces, with switches in between, get their own pieces joined."""

    @task
    async def pieces(name: int) -> int:
        for word in ("never", " ", "mixed"):
            print(name, word, end="", sep=":")
            await asyncio.sleep(0)
        return name

    @flow
    async def piecewise() -> None:
        await asyncio.gather(*(pieces(i) for i in range(10)))

    runs = await asyncio.gather(*(piecewise().execute_async() for _ in range(3)))
    for run in runs:
        record = run.flow_run
        by_task = {e.task_id: e.message for e in record.logs}
        assert by_task == {t.task_id: "{0}:never{0}: {0}:mixed".format(t.return_value) for t in record.tasks}
        assert len(record.logs) == 10


def test_a_thread_outside_flows_prints_for_real_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    """While a flow runs, a thread that does not belong to it prints and logs as if there were none."""

    def outsider() -> None:
        print("outside")
        print("outside", file=sys.stderr)
        library.info("outside")

    @flow
    def inside() -> None:
        print("inside")
        thread = threading.Thread(target=outsider)
        thread.start()
        thread.join()

    run = inside().execute()
    assert [e.message for e in run.captured_logs()] == ["inside"]
    assert capsys.readouterr() == ("outside\n", "outside\n")


def test_the_proxy_stays_until_the_last_flow_ends() -> None:
    """Of two overlapping flows the first to end does not take the capture from the second."""
    before = sys.stdout
    first_may_end, first_ended = threading.Event(), threading.Event()
    seen: list[bool] = []

    @flow
    def first() -> None:
        first_may_end.wait()
        print("first")

    @flow
    def second() -> None:
        first_may_end.set()
        first_ended.wait()
        seen.append(sys.stdout is before)
        print("second")

    made = first()

    def run_first() -> None:
        made.execute()
        first_ended.set()

    thread = threading.Thread(target=run_first)
    thread.start()
    run = second().execute()
    thread.join()
    assert seen == [False]
    assert sys.stdout is before
    assert messages(made, "stdout") == ["first"]
    assert messages(run, "stdout") == ["second"]


def test_a_replacement_during_overlapping_flows_stays() -> None:
    """What the user puts at sys.stdout while several flows run is there when the last of them has ended."""
    mine, before = io.StringIO(), sys.stdout

    @flow
    def inner() -> None:
        print("inner")

    @flow
    def outer() -> Flow[None]:
        sys.stdout = mine
        nested = inner().execute()
        print("outer, to mine")
        return nested

    try:
        run = outer().execute()
        assert sys.stdout is mine
    finally:
        sys.stdout = before
    assert messages(run.return_value, "stdout") == ["inner"]
    assert mine.getvalue() == "outer, to mine\n"


def test_starting_and_ending_flows_at_once_restores_the_streams() -> None:
    """Many short flows that start and end in many threads leave the streams as they were, and lose no line."""
    before = (sys.stdout, sys.stderr)

    @flow
    def short(i: int) -> int:
        print(i)
        return i

    def many() -> list[bool]:
        return [messages(short(i).execute(), "stdout") == [str(i)] for i in range(50)]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        kept = at_once([many] * N_THREADS)
    finally:
        sys.setswitchinterval(interval)
    assert all(all(lines) for lines in kept)
    assert (sys.stdout, sys.stderr) == before


def test_a_tee_that_the_user_wraps_around_the_stream_records_once() -> None:
    """A user's stream that passes on to the one it found sees the lines of its flow, and each is recorded once."""
    copied: list[str] = []

    class Tee(io.TextIOBase):
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def write(self, text: str, /) -> int:
            copied.append(text)
            return int(self.inner.write(text))

    @flow
    def nested() -> None:
        print("nested")

    @flow
    def teeing() -> Flow[None]:
        found = sys.stdout
        sys.stdout = Tee(found)
        try:
            print("one")
            below = nested().execute()
            print("two")
        finally:
            sys.stdout = found
        return below

    run = teeing().execute()
    assert messages(run, "stdout") == ["one", "two"]
    assert messages(run.return_value, "stdout") == ["nested"]
    assert "".join(copied) == "one\ntwo\n"
