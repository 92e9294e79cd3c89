"""Deadlines, cancelling and retries of tasks in worker processes, at every moment of their life."""

import asyncio
import random
import threading
import time
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from flowscope import (
    EventType,
    Executor,
    Flow,
    FlowConfig,
    FlowRun,
    ProcessExecutor,
    RunStatus,
    TaskFuture,
    TaskTimeoutError,
    WorkerDiedError,
    submit,
    use_executor,
)
from support.executors import process_failures as trouble
from support.executors.gate import Gate
from support.executors.process_tasks import echo, leaf, pid, print_lines

pytestmark = pytest.mark.slow

KEEP_EVENTS: Final = FlowConfig(capture_events=True)
ENDED: Final = {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT}


def check_ends(record: FlowRun[Any]) -> None:
    """Every task has ended, once, and its events say so."""
    for one in record.tasks:
        assert one.status in ENDED, one
        assert one.start_time is not None
        assert one.end_time is not None
    stops = [one.event_data.task_run_id for one in record.events if one.event_type is EventType.TASK_STOP]
    starts = [one.event_data.task_run_id for one in record.events if one.event_type is EventType.TASK_START]
    assert sorted(map(str, stops)) == sorted(map(str, starts)) == sorted(one.task_id for one in record.tasks)
    assert [one.sequence for one in record.events] == list(range(1, len(record.events) + 1))


@pytest.mark.parametrize(
    "stubborn", [trouble.sleep_in_c, trouble.compute_in_c, trouble.swallow_everything, trouble.stop_oneself]
)
def test_nothing_withstands_its_deadline(worker: ProcessExecutor, stubborn: Any) -> None:
    """A task in a C function, one that swallows everything, and a stopped process end at their deadline."""
    with Flow[None]() as made, use_executor(worker):
        before = submit(pid).result()
        started = time.monotonic()
        error = submit(stubborn).exception()
        assert isinstance(error, TaskTimeoutError)
        assert time.monotonic() - started < 5
        assert submit(pid).result() != before
        assert not psutil.pid_exists(before)
    assert [one.status for one in made.flow_run.tasks][1] is RunStatus.TIMED_OUT
    assert 0.3 <= made.flow_run.tasks[1].duration < 5


def test_ignored_signals_do_not_withstand_a_deadline(worker: ProcessExecutor, gate: Gate) -> None:
    """A task that ignores and blocks all signals ends at its deadline, and its process with it."""
    with Flow[None](), use_executor(worker):
        future = submit(trouble.ignore_signals, gate.address)
        (visitor,) = gate.wait_for()
        assert isinstance(future.exception(), TaskTimeoutError)
        visitor.wait_gone()
        assert submit(leaf, 1).result() == 1


@pytest.mark.slow
@pytest.mark.parametrize("busy", [trouble.talk_for_ever, trouble.call_for_ever])
def test_a_task_that_keeps_talking_times_out(worker: ProcessExecutor, busy: Any) -> None:
    """A task that says more than its flow can record in time ends at its deadline all the same."""

    def work(_: object) -> None:
        sum(range(50_000))

    with Flow[None]() as made, use_executor(worker):
        made.add_listener(work, EventType.FLOW_MESSAGE)
        started = time.monotonic()
        assert isinstance(submit(busy).exception(), TaskTimeoutError)
        assert time.monotonic() - started < 10
        assert submit(leaf, 1).result() == 1


def test_the_time_counts_from_the_start(worker: ProcessExecutor, gate: Gate) -> None:
    """A task that waits for a worker, for longer than its timeout, has all of its time when it starts."""
    with Flow[None](), use_executor(worker):
        first = submit(trouble.wait_at, gate.address)
        (visitor,) = gate.wait_for()
        second = submit(trouble.expire_quickly_at_first, gate.address, 1)
        with pytest.raises(TimeoutError):
            second.result(0.6)
        visitor.let_go()
        assert (first.result(), second.result()) == ("", 1)


def test_each_attempt_has_its_own_time(worker: ProcessExecutor, gate: Gate) -> None:
    """Attempts that expire are retried in new processes, each with all of the time."""
    with Flow[None](flow_config=KEEP_EVENTS) as made, use_executor(worker):
        assert submit(trouble.expire_quickly_at_first, gate.address, 3).result() == 3
        assert [one.name for one in gate.wait_for(2)] == ["1", "2"]
    record = made.flow_run
    (task,) = record.tasks
    assert (task.status, task.attempts) == (RunStatus.COMPLETED, 3)
    assert task.duration >= 0.6
    said = [entry.message for entry in record.logs if entry.source == "stdout"]
    assert said == ["attempt 1", "attempt 2", "attempt 3"]
    retries = [one.event_data.data for one in record.events if one.event_type is EventType.TASK_RETRY]
    assert [(one["attempt"], one["error"].type) for one in retries] == [
        (1, "TaskTimeoutError"),
        (2, "TaskTimeoutError"),
    ]
    check_ends(record)


def test_a_death_is_retried(workers: Executor) -> None:
    """A task whose worker dies is tried again in another one, as its retries say."""
    with Flow[None](flow_config=KEEP_EVENTS) as made, use_executor(workers):
        assert submit(trouble.die_at_first, 3).result() == 3
    record = made.flow_run
    assert (record.tasks[0].status, record.tasks[0].attempts) == (RunStatus.COMPLETED, 3)
    retries = [one.event_data.data for one in record.events if one.event_type is EventType.TASK_RETRY]
    assert [one["error"].type for one in retries] == ["WorkerDiedError"] * 2
    assert [entry.message for entry in record.logs if entry.source == "stdout"] == [
        "attempt 1",
        "attempt 2",
        "attempt 3",
    ]


def test_retries_run_out(workers: Executor) -> None:
    """When the last attempt dies too, the task fails with the exit code of that one."""
    with Flow[None]() as made, use_executor(workers):
        error = submit(trouble.die_at_first, 9).exception()
    assert isinstance(error, WorkerDiedError)
    assert error.exit_code == 3
    assert (made.flow_run.tasks[0].status, made.flow_run.tasks[0].attempts) == (RunStatus.FAILED, 3)


def test_only_what_is_to_be_retried_is(workers: Executor) -> None:
    """A death is not retried where `retry_on` does not cover it, and is tolerated where errors are."""
    with Flow[None]() as made, use_executor(workers):
        assert isinstance(submit(trouble.die_unretried).exception(), WorkerDiedError)
        assert submit(trouble.die_tolerated).result() is None
    assert [(one.attempts, one.status) for one in made.flow_run.tasks] == [(1, RunStatus.FAILED)] * 2


def test_a_cancelled_task_has_no_retries(worker: ProcessExecutor, gate: Gate) -> None:
    """A task with retries left that is cancelled is not tried again."""
    with Flow[None](flow_config=KEEP_EVENTS) as made, use_executor(worker):
        future = submit(trouble.expire_at_first, gate.address, 9)
        (visitor,) = gate.wait_for()
        assert future.cancel()
        with pytest.raises(asyncio.CancelledError):
            future.result()
        visitor.wait_gone()
        assert submit(leaf, 1).result() == 1
    record = made.flow_run
    assert (record.tasks[0].status, record.tasks[0].attempts) == (RunStatus.CANCELLED, 1)
    check_ends(record)


class Packing:
    """An argument whose pickling, in the process that sends it, says so and waits for leave; not the first times."""

    def __init__(self, skip: int = 0) -> None:
        self.skip = skip
        self.begins = threading.Event()
        self.leave = threading.Event()

    def __reduce__(self) -> Any:
        self.skip -= 1
        if self.skip < 0:
            self.begins.set()
            self.leave.wait(30)
        return int, ()


def check_cancelled(future: TaskFuture[Any]) -> None:
    """It counts as cancelled everywhere."""
    with pytest.raises(asyncio.CancelledError):
        future.result(20)
    assert future.status is RunStatus.CANCELLED


@pytest.mark.slow
def test_cancelled_while_its_arguments_are_packed(worker: ProcessExecutor, tmp_path: Path) -> None:
    """A task that is cancelled while its arguments are pickled does not run."""
    packing = Packing()
    with Flow[None](flow_config=KEEP_EVENTS) as made, use_executor(worker):
        submit(leaf, 1).result()
        future = submit(trouble.mark, tmp_path / "mark", packing)
        assert packing.begins.wait(20)
        assert future.cancel()
        packing.leave.set()
        check_cancelled(future)
        assert submit(leaf, 2).result() == 2
    assert not (tmp_path / "mark").exists()
    check_ends(made.flow_run)


@pytest.mark.slow
def test_cancelled_while_a_retry_is_packed(worker: ProcessExecutor, tmp_path: Path) -> None:
    """A task that is cancelled while a retry after a death is prepared does not run again."""
    packing = Packing(skip=1)
    with Flow[None](flow_config=KEEP_EVENTS) as made, use_executor(worker):
        future = submit(trouble.die_then_mark, tmp_path / "mark", packing)
        assert packing.begins.wait(20)
        assert future.cancel()
        packing.leave.set()
        check_cancelled(future)
        assert submit(leaf, 2).result() == 2
    assert not (tmp_path / "mark").exists()
    check_ends(made.flow_run)


@pytest.mark.slow
@pytest.mark.parametrize("wait", [number * 0.04 for number in range(10)])
def test_cancelled_while_the_worker_of_a_retry_starts(worker: ProcessExecutor, wait: float, tmp_path: Path) -> None:
    """However long after a death a task is cancelled, answer, outcome and record agree."""
    with Flow[None](flow_config=KEEP_EVENTS) as made, use_executor(worker):
        retried = threading.Event()
        made.add_listener(lambda _: retried.set(), EventType.TASK_RETRY)
        future = submit(trouble.die_then_mark, tmp_path / "mark")
        assert retried.wait(20)
        assert not threading.Event().wait(wait)
        if future.cancel():
            check_cancelled(future)
        else:
            assert future.result() is None
        assert submit(leaf, 2).result() == 2
    check_ends(made.flow_run)
    assert made.flow_run.tasks[0].status is future.status


def test_cancelled_while_its_worker_starts(worker: ProcessExecutor) -> None:
    """A task that is cancelled before the first worker is ready does not run, and the next one does."""
    with Flow[None]() as made, use_executor(worker):
        future = submit(leaf, 1)
        assert future.cancel()
        check_cancelled(future)
        assert submit(leaf, 2).result() == 2
    assert [(one.status, one.attempts) for one in made.flow_run.tasks] == [
        (RunStatus.CANCELLED, 0),
        (RunStatus.COMPLETED, 1),
    ]


@pytest.mark.slow
def test_cancelled_while_much_is_sent(worker: ProcessExecutor) -> None:
    """Tasks with 20 MB of arguments are cancelled at any moment, and the next one is whole."""
    dice = random.Random(5)
    cargo = b"x" * 20_000_000
    with Flow[None](flow_config=FlowConfig(capture_events=True, record_inputs=False)) as made, use_executor(worker):
        for number in range(12):
            future = submit(echo, cargo)
            threading.Event().wait(dice.random() * 0.08)
            if future.cancel():
                check_cancelled(future)
            else:
                assert len(future.result()) == len(cargo)
            assert submit(echo, number).result() == number
    check_ends(made.flow_run)


@pytest.mark.slow
def test_cancelled_while_it_talks(worker: ProcessExecutor) -> None:
    """Tasks that print thousands of lines are cancelled at any moment; no line gets to another task."""
    dice = random.Random(6)
    with Flow[None](flow_config=KEEP_EVENTS) as made, use_executor(worker):
        for number in range(12):
            future = submit(print_lines, 3_000, 50)
            threading.Event().wait(dice.random() * 0.1)
            future.cancel()
            assert submit(leaf, number).result() == number
    record = made.flow_run
    check_ends(record)
    for one in record.tasks:
        said = [entry.message for entry in record.logs if entry.task_id == one.task_id and entry.source == "stdout"]
        if one.task_name == "leaf":
            assert said == [f"leaf {one.return_value}"]
        else:
            assert said == [f"{number} {'x' * 50}" for number in range(len(said))]


@pytest.mark.slow
def test_a_storm_of_cancellations(workers: Executor) -> None:
    """Hundreds of calls, cancelled by several threads while they wait, start, run and end, all have one end."""
    dice = random.Random(8)
    with Flow[None](flow_config=KEEP_EVENTS) as made, use_executor(workers):
        futures = [submit(trouble.burn, dice.randrange(60_000)) for _ in range(300)]
        victims = [dice.sample(futures, 40) for _ in range(3)]
        ready = threading.Barrier(4)
        answers: dict[TaskFuture[int], list[bool]] = {}

        def cancel(mine: list[TaskFuture[int]]) -> None:
            ready.wait(20)
            for future in mine:
                answers.setdefault(future, []).append(future.cancel())

        threads = [threading.Thread(target=cancel, args=(mine,)) for mine in victims]
        for thread in threads:
            thread.start()
        ready.wait(20)
        for future in futures:
            try:
                future.result(30)
            except asyncio.CancelledError:
                assert any(answers[future])
        for thread in threads:
            thread.join()
        assert submit(leaf, 2).result() == 2
    record = made.flow_run
    check_ends(record)
    statuses = {one.task_id: one.status for one in record.tasks}
    for future in futures:
        assert statuses[future.task_id] is future.status
        wanted = RunStatus.CANCELLED if any(answers.get(future, ())) else RunStatus.COMPLETED
        assert future.status is wanted


@pytest.mark.slow
def test_a_storm_about_the_end(worker: ProcessExecutor, gate: Gate) -> None:
    """A task that is cancelled about when it ends has one outcome, and the next task is not hurt."""
    with Flow[None](flow_config=KEEP_EVENTS) as made, use_executor(worker):
        for rounds in range(0, 60_000, 2_000):
            future = submit(trouble.wait_then_burn, gate.address, 20_000)
            (visitor,) = gate.wait_for()
            visitor.let_go()
            trouble.burn.__wrapped__(rounds)  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]
            cancelled = future.cancel()
            assert submit(leaf, rounds).result() == rounds
            if cancelled:
                check_cancelled(future)
            else:
                assert future.result() == sum(range(20_000))
    check_ends(made.flow_run)


@pytest.mark.slow
async def test_awaits_are_cancelled_in_a_storm(workers: Executor, gate: Gate) -> None:
    """Cancelling the asyncio tasks that await process tasks ends these, and nothing is left."""

    async def wait(number: int) -> str:
        return await submit(trouble.wait_at, gate.address, str(number))

    async with Flow[None](flow_config=KEEP_EVENTS) as made:
        with use_executor(workers):
            waiting = [asyncio.create_task(wait(number)) for number in range(20)]
            visitors = await asyncio.to_thread(gate.wait_for, 2)
            for one in waiting:
                one.cancel()
            found = await asyncio.gather(*waiting, return_exceptions=True)
            assert {type(one) for one in found} == {asyncio.CancelledError}
            for visitor in visitors:
                await asyncio.to_thread(visitor.wait_gone)
            assert await submit(leaf, 3) == 3
    record = made.flow_run
    check_ends(record)
    assert [one.status for one in record.tasks] == [RunStatus.CANCELLED] * 20 + [RunStatus.COMPLETED]


async def test_a_timeout_around_an_await_ends_the_task(workers: Executor, gate: Gate) -> None:
    """`asyncio.timeout` around the await of a process task kills its worker."""
    async with Flow[None]() as made:
        with use_executor(workers):
            future = submit(trouble.wait_at, gate.address)
            visitors = await asyncio.to_thread(gate.wait_for)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await future
            await asyncio.to_thread(visitors[0].wait_gone)
    assert made.flow_run.tasks[0].status is RunStatus.CANCELLED
