"""Twenty thousand submitted tasks over all executors, with whatever can happen to them, leave nothing behind."""

import asyncio
import gc
import random
import sys
import threading
import tracemalloc
import weakref
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import psutil
import pytest

from flowscope import (
    AsyncioExecutor,
    EventType,
    Executor,
    Flow,
    FlowConfig,
    FlowEvent,
    ProcessExecutor,
    RunStatus,
    TaskFuture,
    TaskTimeoutError,
    ThreadExecutor,
    WorkerDiedError,
    flow_events,
    submit,
    use_executor,
)
from support.executors.process_tasks import Boom
from support.executors.soak_tasks import FORMS, belongings, nest_many

pytestmark = pytest.mark.slow

ROUNDS: Final = 10
TASKS_A_ROUND: Final = {"asyncio": 950, "thread": 900, "process": 150}
WINDOW: Final = 48
"""How many calls are in flight at once."""

SHARES: Final = {"quick": 60, "talk": 10, "fail": 8, "tolerate": 6, "insist": 8, "nest": 6, "expire": 1.5, "die": 0}
DYING: Final = {**SHARES, "die": 1.5}

STATUSES: Final = {
    "fail": RunStatus.FAILED,
    "tolerate": RunStatus.FAILED,
    "die": RunStatus.FAILED,
    "expire": RunStatus.TIMED_OUT,
}
ERRORS: Final[dict[str, type[BaseException]]] = {"fail": Boom, "die": WorkerDiedError, "expire": TaskTimeoutError}
VALUES: Final[dict[str, Callable[[int], int | None]]] = {
    "quick": lambda number: 2 * number,
    "nest": lambda number: 4 * number,
    "tolerate": lambda _: None,
}


@dataclass
class Submitted:
    """One submitted call, and what is to become of it."""

    kind: str
    number: int
    future: TaskFuture[Any]
    lenient: bool
    """Whether it may end before a cancellation reaches it: an async one, which is cancelled at its next `await`."""
    cancelled: bool = False

    def check(self, error: BaseException | None, value: object) -> None:
        """Its outcome is that of its kind, or of its cancellation."""
        if self.cancelled and not (self.lenient and self.future.status is not RunStatus.CANCELLED):
            assert isinstance(error, asyncio.CancelledError), (self, error)
            assert self.future.status is RunStatus.CANCELLED, self
            return
        assert self.future.status is STATUSES.get(self.kind, RunStatus.COMPLETED), (self, error)
        if self.kind in ERRORS:
            assert type(error) is ERRORS[self.kind], (self, error)
        else:
            assert error is None, (self, error)
            expected = VALUES.get(self.kind, int)
            assert value == expected(self.number)


@dataclass
class Course:
    """One flow that submits many calls, some of which it cancels."""

    place: str
    seed: int
    count: int
    form: int
    """Which form of the tasks: 0 for sync, 1 for async ones."""
    calls: list[Submitted] = field(default_factory=list[Submitted])
    starts: Counter[str | None] = field(default_factory=Counter[str | None])
    stops: Counter[str | None] = field(default_factory=Counter[str | None])
    flow: weakref.ref[Flow[Any]] | None = None

    def listen(self, event: FlowEvent) -> None:
        """Count what begins and ends."""
        counts = self.starts if event.event_type is EventType.TASK_START else self.stops
        counts[event.event_data.task_run_id] += 1

    def steps(self) -> Any:
        """Submit, and yield a call whenever its end is to be waited for."""
        dice = random.Random(self.seed)
        shares = DYING if self.place == "process" else SHARES
        kinds = dice.choices(list(shares), list(shares.values()), k=self.count)
        waiting: deque[Submitted] = deque()
        for number, kind in enumerate(kinds):
            lenient = self.form == 1 and self.place != "process"
            made = Submitted(kind, number, submit(FORMS[kind][self.form], number), lenient)
            self.calls.append(made)
            waiting.append(made)
            if dice.random() < 0.04:
                victim = dice.choice(waiting)
                victim.cancelled |= victim.future.cancel()
            if len(waiting) > WINDOW:
                yield waiting.popleft()
        yield from waiting

    def run(self) -> None:
        """Wait for each call in turn, blocking."""
        for one in self.steps():
            try:
                value, error = one.future.result(60), None
            except BaseException as raised:
                value, error = None, raised
            one.check(error, value)

    async def run_async(self) -> None:
        """Wait for each call in turn, awaiting."""
        for one in self.steps():
            try:
                value, error = await one.future, None
            except BaseException as raised:
                value, error = None, raised
            one.check(error, value)

    def execute(self, executor: Executor, awaits: bool) -> None:
        """Run the flow, and look at its record."""
        made = Flow[Any](flow_name=f"{self.place} {self.seed}")
        self.flow = weakref.ref(made)
        made.add_listener(self.listen, EventType.TASK_START, EventType.TASK_STOP)
        with use_executor(executor):
            made.setup(self.run_async if awaits else self.run).execute()
        self.check(made)

    def check(self, made: Flow[Any]) -> None:
        """Every task has ended, and record, events and futures agree."""
        record = made.flow_run
        assert record.status is RunStatus.COMPLETED
        by_id = {one.task_id: one for one in record.tasks}
        assert len(by_id) == len(record.tasks)
        for one in self.calls:
            task = by_id[one.future.task_id]
            assert task.status is one.future.status
            assert task.task_name.removesuffix("_async") == one.kind
            assert task.input_args == [one.number]
        for task in record.tasks:
            assert task.status not in {RunStatus.PENDING, RunStatus.RUNNING}, task
            assert task.start_time is not None
            assert task.end_time is not None
        assert self.starts.keys() == self.stops.keys() == by_id.keys()
        assert set(self.starts.values()) == set(self.stops.values()) == {1}
        said = Counter(entry.task_id for entry in record.logs if entry.source == "stdout")
        for one in self.calls:
            if one.kind == "talk" and not one.cancelled:
                assert said[one.future.task_id] == 1
        self.calls.clear()


def courses(number: int) -> list[tuple[Course, bool]]:
    """The flows of one round, and whether each is async."""
    found: list[tuple[Course, bool]] = []
    for place, count in TASKS_A_ROUND.items():
        for part in range(4):
            awaits, form = bool(part & 1), part >> 1
            found.append((Course(place, 100 * number + part, count // 4 + (part < count % 4), form), awaits))
    return found


def run_round(number: int, executors: dict[str, Executor]) -> int:
    """Run all flows of a round at once, each in a thread; how many calls they have submitted."""
    flows = courses(number)
    problems: list[BaseException] = []

    def work(course: Course, awaits: bool) -> None:
        try:
            course.execute(executors[course.place], awaits)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=partial(work, *one), name="soak") for one in flows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    assert kept([course for course, _ in flows]) == []
    return sum(course.count for course, _ in flows)


def kept(courses: list[Course]) -> list[str]:
    """The places of flows that are not let go of, a moment after their end: a worker's thread may be returning from it."""
    left = courses
    for _ in range(100):
        gc.collect()
        left = [course for course in left if course.flow is not None and course.flow() is not None]
        if not left:
            break
        threading.Event().wait(0.05)
    return [course.place for course in left]


@dataclass(frozen=True)
class Belongings:
    """What this process holds of the system."""

    threads: frozenset[str]
    children: int
    handles: int
    megabytes: float

    @classmethod
    def now(cls) -> "Belongings":
        """What it holds when left-behind threads have ended."""
        for thread in threading.enumerate():
            if thread.name.startswith(("flowscope-thread", "flowscope-expire", "soak")):
                thread.join(5)
        gc.collect()
        me = psutil.Process()
        return cls(
            frozenset(thread.name for thread in threading.enumerate()),
            len(me.children(recursive=True)),
            me.num_fds() if sys.platform != "win32" else 0,
            me.memory_info().rss / 2**20,
        )


def run_rounds(numbers: range) -> int:
    """Run rounds on executors that are closed afterwards; how many calls were submitted."""
    with AsyncioExecutor() as loops, ThreadExecutor(8) as threads, ProcessExecutor(2) as processes:
        executors: dict[str, Executor] = {"asyncio": loops, "thread": threads, "process": processes}
        return sum(run_round(number, executors) for number in numbers)


@pytest.mark.timeout(180)
def test_twenty_thousand_tasks_leave_nothing_behind() -> None:
    """After failures, timeouts, cancellations and deaths every task has its end, and nobody and nothing is left."""
    listeners = list(flow_events.event_listeners)
    assert run_rounds(range(3)) == 6_000
    before = Belongings.now()
    assert run_rounds(range(3, ROUNDS)) == 14_000
    after = Belongings.now()
    assert after.threads <= before.threads
    assert after.children <= before.children
    assert after.handles <= before.handles
    assert after.megabytes <= before.megabytes + 10
    assert flow_events.event_listeners == listeners


@pytest.mark.timeout(60)
def test_a_worker_stays_as_it_is() -> None:
    """After thousands of tasks, of many flows, a worker has no more memory, handles and objects than after some."""
    with ProcessExecutor(1) as executor, use_executor(executor):

        def serve(flows: int) -> tuple[float, int, int]:
            for _ in range(flows):
                with Flow[None]():
                    futures = [submit(FORMS["talk"][one % 2], one) for one in range(40)]
                    for future in futures:
                        future.result()
            with Flow[None]():
                found: tuple[float, int, int] = submit(belongings, 1).result()
                return found

        megabytes, handles, objects = serve(10)
        later = serve(60)
    assert later[0] <= megabytes + 2
    assert later[1] <= handles
    assert later[2] <= objects + 100


@pytest.mark.timeout(60)
def test_tasks_that_are_not_kept_take_no_memory() -> None:
    """With `add_task_to_self=False` thousands of tasks, submitted and nested in a worker, leave nothing in their flow."""
    config = FlowConfig(add_task_to_self=False, log_to_memory=False)
    with ProcessExecutor(1) as executor, use_executor(executor), Flow[None](flow_config=config) as made:

        def serve(count: int) -> int:
            for _ in range(count):
                submit(nest_many, 100).result()
            with use_executor("thread"):
                for number in range(50 * count):
                    submit(FORMS["quick"][0], number).result()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        serve(2)
        tracemalloc.start()
        try:
            before = serve(2)
            after = serve(40)
        finally:
            tracemalloc.stop()
    assert after - before < 50_000
    assert made.flow_run.dropped.tasks == 44 * (101 + 50)
