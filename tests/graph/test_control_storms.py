"""Control from all sides: beside a model of what jobs do, and in storms of many threads."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import asyncio
import contextlib
import itertools
import queue
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from flowscope import RunStatus
from flowscope.graph import ErrorHandler, ErrorStrategy, GraphError, JobState, Routine, RoutineGraph, TaskPriority
from support.examples import examples
from support.graph.routines import BOUND, Source, begun, called

pytestmark = pytest.mark.slow

MODES = ["sequential", "concurrent"]
FINAL = {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT}
AT_REST = {*FINAL, RunStatus.PAUSED}


class _Ticket(NamedTuple):
    """A handler that has been entered, and waits to be told what to do."""

    job: JobState
    message: int
    attempt: int
    orders: "queue.SimpleQueue[Callable[[], None] | None]"
    obeyed: threading.Semaphore


@dataclass
class _Work:
    """An activation, as the model sees it."""

    number: int
    message: int
    attempt: int = 1


@dataclass
class _Job:
    """A job, as the model sees it."""

    state: JobState
    priority: int
    returns: "Future[Any]"
    """Of whoever waits for it."""
    status: str = "running"
    waiting: list[_Work] = field(default_factory=list[_Work])
    retrying: list[_Work] = field(default_factory=list[_Work])
    running: list[_Work] = field(default_factory=list[_Work])
    kept: list[_Work] = field(default_factory=list[_Work])

    def rests(self) -> bool:
        return self.status in FINAL or (self.status == "paused" and not self.running)

    def pause(self) -> None:
        if self.status == "running":
            self.status = "paused"
            self.kept = sorted([*self.waiting, *self.retrying], key=lambda one: one.number)
            self.waiting, self.retrying = [], []

    def take(self, work: _Work) -> None:
        if self.status == "running":
            self.waiting.append(work)
        elif self.status == "paused":
            self.kept.append(work)

    def take_again(self, work: _Work) -> None:
        again = _Work(work.number, work.message, work.attempt + 1)
        (self.retrying if self.status == "running" else self.kept).append(again)


class _Machine(RuleBasedStateMachine):
    """Each handler waits for orders, so that the model knows at each step what runs, waits and is kept."""

    mode: Any = "sequential"
    width = 1
    retries = 2

    def __init__(self) -> None:
        super().__init__()
        self.entered: queue.SimpleQueue[_Ticket] = queue.SimpleQueue()
        self.tickets: list[tuple[_Job, _Work, _Ticket]] = []
        self.jobs: list[_Job] = []
        self.left_behind: list[_Ticket] = []
        """Their jobs have ended without them."""
        self.numbers = itertools.count(1)
        self.messages = itertools.count(1)
        self.attempts: dict[tuple[str, int], int] = {}
        self.graph = RoutineGraph("g", execution_strategy=self.mode, max_workers=self.width)
        self.routine = called(self._handle, "out").set_error_handler(
            ErrorHandler(
                strategy=ErrorStrategy.RETRY,
                max_retries=self.retries,
                retry_delay=3600,
                retryable_exceptions=(LookupError,),
            )
        )
        self.graph.add_routine(self.routine, "a")
        self.graph.connect("a", "out", "a", "trigger")
        self.graph.add_routine(called(self._wait_at), "meet")
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    @staticmethod
    def _wait_at(barrier: threading.Barrier) -> None:
        barrier.wait(BOUND)

    def _handle(self, message: int) -> None:
        job = self.routine.job
        attempt = self.attempts[job.job_id, message] = self.attempts.get((job.job_id, message), 0) + 1
        ticket = _Ticket(job, message, attempt, queue.SimpleQueue(), threading.Semaphore(0))
        self.entered.put(ticket)
        while (order := ticket.orders.get(timeout=BOUND)) is not None:
            try:
                order()
            finally:
                ticket.obeyed.release()

    def _tell(self, ticket: _Ticket, order: Callable[[], None] | None) -> None:
        ticket.orders.put(order)
        if order is not None:
            assert ticket.obeyed.acquire(timeout=BOUND)

    def _settle(self) -> None:
        """Let the model's free workers take what goes first, and see that the same handlers have been entered."""
        expected: list[tuple[_Job, _Work]] = []
        while self._free() > len(expected):
            ready = [(job.priority, work.number, job, work) for job in self.jobs for work in job.waiting]
            if not ready:
                break
            _, _, job, work = min(ready, key=lambda one: one[:2])
            job.waiting.remove(work)
            job.running.append(work)
            expected.append((job, work))
        for _ in expected:
            ticket = self.entered.get(timeout=BOUND)
            found = [one for one in expected if one[0].state is ticket.job and one[1].message == ticket.message]
            assert len(found) == 1
            assert ticket.attempt == found[0][1].attempt
            self.tickets.append((*found[0], ticket))
        self._meet()
        for job in self.jobs:
            if job.status == "running" and not (job.waiting or job.running or job.retrying):
                job.status = "completed"
            if job.rests():
                assert job.returns.result(BOUND)

    def _free(self) -> int:
        return self.width - len(self.tickets) - len(self.left_behind)

    def _meet(self) -> None:
        """Have all free workers at one point: what they did before is done."""
        free = self._free()
        if free:
            barrier = threading.Barrier(free + 1)
            jobs = [self.graph.start("meet", {"barrier": barrier}) for _ in range(free)]
            barrier.wait(BOUND)
            assert all(self.graph.wait_for_completion(job, BOUND) for job in jobs)

    def _work(self) -> _Work:
        return _Work(next(self.numbers), next(self.messages))

    def _end(self, job: _Job, status: str) -> None:
        """Its handlers are left behind."""
        if job.status not in FINAL:
            job.pause()
            job.status = status
            self.left_behind.extend(ticket for owner, _, ticket in self.tickets if owner is job)
            self.tickets = [one for one in self.tickets if one[0] is not job]
            job.running = []

    @precondition(lambda self: len(self.jobs) < 6)
    @rule(priority=st.sampled_from(list(TaskPriority)))
    def start(self, priority: TaskPriority) -> None:
        work = self._work()
        state = self.graph.start("a", {"message": work.message}, priority=priority)
        returns = begun(self.graph.wait_for_completion, state, BOUND * 3)
        self.jobs.append(_Job(state, priority, returns, waiting=[work]))
        self._settle()

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def emit(self, data: st.DataObject) -> None:
        job, _, ticket = data.draw(st.sampled_from(self.tickets))
        work = self._work()
        job.take(work)
        self._tell(ticket, lambda: self.routine.emit("out", message=work.message))
        self._settle()

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), action=st.sampled_from(["pause", "cancel"]))
    def stop_from_inside(self, data: st.DataObject, action: str) -> None:
        job, _, ticket = data.draw(st.sampled_from(self.tickets))
        if action == "pause":
            job.pause()
            self._tell(ticket, lambda: self.graph.pause(ticket.job))
        else:
            self._end(job, "cancelled")
            self._tell(ticket, lambda: self.graph.cancel(ticket.job))
        self._settle()

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), how=st.sampled_from(["return", "return", "retry", "retry", "fail"]))
    def end(self, data: st.DataObject, how: str) -> None:
        """Let a handler return, or raise what is worth another attempt, or not."""
        chosen = data.draw(st.sampled_from(self.tickets))
        self.tickets.remove(chosen)
        job, work, ticket = chosen
        job.running.remove(work)
        if how == "retry" and work.attempt <= self.retries:
            job.take_again(work)
        elif how != "return":
            self._end(job, "failed")

        def fail() -> None:
            raise LookupError if how == "retry" else ValueError

        self._tell(ticket, None if how == "return" else fail)
        self._settle()

    @precondition(lambda self: self.left_behind)
    @rule(data=st.data())
    def let_go(self, data: st.DataObject) -> None:
        """Let a handler end whose job has ended; what it emits goes nowhere."""
        ticket = data.draw(st.sampled_from(self.left_behind))
        self.left_behind.remove(ticket)
        self._tell(ticket, lambda: self._say_nothing(ticket))
        self._tell(ticket, None)
        self._settle()

    def _say_nothing(self, ticket: _Ticket) -> None:
        before = ticket.job.model_dump_json()
        self.routine.emit("out", message=0)
        assert ticket.job.model_dump_json() == before

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), action=st.sampled_from(["pause", "cancel"]))
    def stop(self, data: st.DataObject, action: str) -> None:
        job = data.draw(st.sampled_from(self.jobs))
        if action == "pause":
            job.pause()
            self.graph.pause(job.state)
        else:
            self._end(job, "cancelled")
            self.graph.cancel(job.state)
        self._settle()

    @precondition(lambda self: any(job.rests() for job in self.jobs))
    @rule(data=st.data(), elsewhere=st.booleans())
    def resume(self, data: st.DataObject, elsewhere: bool) -> None:
        """The very job, or what becomes of it in a file; one that has ended is refused."""
        job = data.draw(st.sampled_from([job for job in self.jobs if job.rests()]))
        if job.status != "paused":
            with pytest.raises(GraphError, match=job.status):
                self.graph.resume(job.state)
            return
        if elsewhere:
            job.state = JobState.model_validate_json(job.state.model_dump_json())
        job.returns = asyncio.run_coroutine_threadsafe(self.graph.resume_async(job.state), self.loop)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop).result(BOUND)
        job.status = "running"
        job.waiting = [_Work(next(self.numbers), one.message, one.attempt) for one in job.kept]
        job.kept = []
        self._settle()

    @invariant()
    def statuses_are_those_of_the_model(self) -> None:
        for job in self.jobs:
            assert job.state.status == job.status
            assert self.graph.wait_for_completion(job.state, 0) == job.rests()

    @invariant()
    def what_would_be_saved_is_all_work_that_is_left(self) -> None:
        for job in self.jobs:
            saved = JobState.model_validate_json(job.state.model_dump_json())
            assert saved.status == job.status
            left = [*job.kept, *job.running, *job.waiting, *job.retrying]  # of one that has ended: what was dropped
            assert sorted((one.data["message"], one.attempt) for one in saved.pending_activations) == sorted(
                (one.message, one.attempt) for one in left
            )

    def teardown(self) -> None:
        for job in self.jobs:
            self.graph.cancel(job.state)
            assert job.returns.result(BOUND)
        for ticket in [*self.left_behind, *(one[2] for one in self.tickets)]:
            self._tell(ticket, None)
        self.graph.shutdown()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(BOUND)
        self.loop.close()


class _Sequential(_Machine):
    mode = "sequential"
    width = 1


class _Concurrent(_Machine):
    mode = "concurrent"
    width = 2


@pytest.mark.parametrize("machine", [_Sequential, _Concurrent])
def test_jobs_do_what_a_model_of_them_does(machine: type[_Machine]) -> None:
    """Whatever is started, paused, resumed, cancelled, failed and tried again, in whatever order."""
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples(50), stateful_step_count=30, deadline=None, print_blob=True)
    )


class _Board:
    """What handlers have done, and what nobody has seen go wrong."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[str, list[int]] = {}
        self._attempts: dict[tuple[str, int], int] = {}
        self._final: dict[str, RunStatus] = {}

    def attempt(self, job: JobState, value: int) -> int:
        with self._lock:
            made = self._attempts[job.job_id, value] = self._attempts.get((job.job_id, value), 0) + 1
            return made

    def done(self, job: JobState, value: int) -> None:
        with self._lock:
            self._done.setdefault(job.job_id, []).append(value)

    def of(self, job: JobState) -> list[int]:
        with self._lock:
            return sorted(self._done.get(job.job_id, []))

    def look_at(self, job: JobState) -> None:
        """A status that has been final stays what it was."""
        status = job.status
        if status in FINAL:
            with self._lock:
                assert self._final.setdefault(job.job_id, status) == status
            assert job.status == status


class _Storm:
    """A source, workers that stumble, and a sum: on each of its jobs, threads do what they like."""

    messages = 24

    def __init__(self, mode: Any, kind: str) -> None:
        self.board = _Board()
        work = self.work = called(self._work if kind == "sync" else self._work_async, "out")
        work.set_error_handler(ErrorHandler(strategy=ErrorStrategy.RETRY, retry_delay=0.001, retry_backoff=1))
        end = self.end = Routine()
        end.define_slot("input", self._take, self._sum)
        self.mode = mode
        self.graph = self.rebuilt()

    def rebuilt(self) -> RoutineGraph:
        """The same graph once more."""
        graph = RoutineGraph("storm", execution_strategy=self.mode, max_workers=3)
        graph.add_routine(Source(count=self.messages), "a")
        graph.add_routine(self.work, "b")
        graph.add_routine(self.end, "c")
        graph.connect("a", "out", "b", "trigger")
        graph.connect("b", "out", "c", "input")
        return graph

    @staticmethod
    def _sum(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        return {"value": new["value"], "total": old.get("total", 0) + new["value"], "count": old.get("count", 0) + 1}

    def _work(self, value: int) -> None:
        job = self.work.job
        if value % 3 == 0 and self.board.attempt(job, value) % 2:
            raise ValueError(value)
        self.work.emit("out", value=value)

    async def _work_async(self, value: int) -> None:
        await asyncio.sleep(0)
        self._work(value)

    def _take(self, value: int, total: int, count: int) -> None:
        job = self.end.job
        self.board.done(job, value)
        job.append_to_shared_log({"value": value, "total": total, "count": count})

    def check_done(self, job: JobState) -> None:
        """Each message has been handled once, and each step of the sum was seen."""
        assert job.status == RunStatus.COMPLETED
        assert self.board.of(job) == list(range(self.messages))
        assert sorted(entry["value"] for entry in job.shared_log) == list(range(self.messages))
        assert sorted(entry["count"] for entry in job.shared_log) == list(range(1, self.messages + 1))
        assert max(entry["total"] for entry in job.shared_log) == sum(range(self.messages))
        tasks = job.flow_run.tasks
        assert [task.execution_order for task in tasks] == list(range(1, len(tasks) + 1))
        assert sum(task.task_name == "c.input" for task in tasks) == self.messages
        assert not job.pending_activations

    def finish(self, job: JobState) -> JobState:
        """Let a job go on to its end, however often it has been paused."""
        assert self.graph.wait_for_completion(job, BOUND)
        while job.status == RunStatus.PAUSED:
            with contextlib.suppress(GraphError):  # another one may be ahead
                self.graph.resume(job)
            assert self.graph.wait_for_completion(job, BOUND)
        return job


def _all(threads: list["Future[None]"]) -> None:
    for one in threads:
        one.result(BOUND)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("mode", MODES)
def test_a_storm_of_pauses_and_resumptions_loses_nothing(mode: Any, kind: str, seed: int) -> None:
    """From several threads, over several jobs, amid retries: in the end each message was handled exactly once."""
    storm = _Storm(mode, kind)
    with storm.graph as graph:
        jobs = [graph.start("a") for _ in range(4)]

        def disturb(number: int) -> None:
            chance = random.Random(f"{seed}-{number}")
            for _ in range(60):
                job = chance.choice(jobs)
                if chance.random() < 0.6:
                    graph.pause(job, "storm")
                    JobState.model_validate_json(job.model_dump_json())
                else:
                    with contextlib.suppress(GraphError):
                        graph.resume(job)
                storm.board.look_at(job)

        _all([begun(disturb, number) for number in range(3)])
        for job in jobs:
            storm.check_done(storm.finish(job))


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("mode", MODES)
def test_a_job_that_goes_from_file_to_file_loses_nothing(mode: Any, kind: str, tmp_path: Any) -> None:
    """Paused by others again and again, saved, loaded and resumed: what is in the last file is the whole job."""
    storm = _Storm(mode, kind)
    with storm.graph as graph:
        jobs = [graph.start("a")]
        stop = threading.Event()

        def disturb() -> None:
            while not stop.is_set():
                graph.pause(jobs[-1], "storm")

        disturbing = begun(disturb)
        for number in range(15):
            assert graph.wait_for_completion(jobs[-1], BOUND)
            if jobs[-1].status != RunStatus.PAUSED:
                break
            jobs.append(JobState.load(jobs[-1].save(tmp_path / str(number))))
            with contextlib.suppress(GraphError):
                graph.resume(jobs[-1])
        stop.set()
        disturbing.result(BOUND)
        storm.check_done(storm.finish(jobs[-1]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("mode", MODES)
def test_a_storm_of_everything_leaves_every_job_final(mode: Any, kind: str, seed: int) -> None:
    """Pauses, resumptions, cancellations, deadlines, files and waits: nobody hangs, and no message is done twice."""
    storm = _Storm(mode, kind)
    with storm.graph as graph:
        first = random.Random(seed)
        jobs = [graph.start("a", timeout=first.choice([None, None, 0.02, 0.1])) for _ in range(6)]

        def disturb(number: int) -> None:
            chance = random.Random(f"{seed}-{number}")
            for _ in range(40):
                job = chance.choice(jobs)
                act = chance.random()
                if act < 0.4:
                    graph.pause(job, "storm")
                elif act < 0.7:
                    with contextlib.suppress(GraphError):
                        graph.resume(job)
                elif act < 0.75:
                    graph.cancel(job, "storm")
                elif act < 0.9:
                    graph.wait_for_completion(job, 0.001)
                else:
                    JobState.model_validate_json(job.model_dump_json())
                storm.board.look_at(job)

        _all([begun(disturb, number) for number in range(4)])
        for job in jobs:
            storm.finish(job)
            storm.board.look_at(job)
            assert job.flow_run.status == job.status
            if job.status == RunStatus.COMPLETED:
                storm.check_done(job)
            else:
                assert job.status in {RunStatus.CANCELLED, RunStatus.TIMED_OUT}
                handled = storm.board.of(job)
                assert len(set(handled)) == len(handled)
                left = [one.data["value"] for one in job.pending_activations if one.routine_id == "c"]
                assert not set(left) & set(handled)


@pytest.mark.parametrize("mode", MODES)
def test_cancelling_amid_pauses_and_resumptions(mode: Any) -> None:
    """Whoever comes first, a job that was cancelled is final, and those who wait for it return."""
    storm = _Storm(mode, "sync")
    graph = storm.graph
    for _ in range(60):
        job = graph.start("a")
        together = threading.Barrier(3)

        def pause(job: JobState = job, together: threading.Barrier = together) -> None:
            together.wait(BOUND)
            for _ in range(20):
                graph.pause(job)

        def resume(job: JobState = job, together: threading.Barrier = together) -> None:
            together.wait(BOUND)
            for _ in range(5):
                with contextlib.suppress(GraphError):
                    graph.resume(job)

        threads = [begun(pause), begun(resume)]
        together.wait(BOUND)
        graph.cancel(job)
        _all(threads)
        assert graph.wait_for_completion(job, BOUND)
        assert job.status in {RunStatus.CANCELLED, RunStatus.COMPLETED}
        assert job.flow_run.status == job.status


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("mode", MODES)
def test_a_storm_of_cancellations_ends_all(mode: Any, kind: str) -> None:
    """Cancelled from several threads, in every phase, each job is final, and the graph is as good as new."""
    storm = _Storm(mode, kind)
    graph = storm.graph
    jobs = [graph.start("a") for _ in range(60)]

    def cancel(part: list[JobState]) -> None:
        for job in part:
            graph.cancel(job)

    _all([begun(cancel, jobs[number::2]) for number in (0, 1, 0, 1)])
    for job in jobs:
        assert graph.wait_for_completion(job, 0)
        assert job.status in {RunStatus.CANCELLED, RunStatus.COMPLETED}
    storm.check_done(graph.execute("a"))


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("waits", [True, False])
def test_a_graph_can_be_shut_down_in_a_storm(mode: Any, kind: str, waits: bool) -> None:
    """While others start, pause, resume and cancel: whoever comes too late is told, and nothing runs on."""
    storm = _Storm(mode, kind)
    graph = storm.graph
    jobs = [graph.start("a") for _ in range(3)]
    ready = threading.Barrier(5)

    def disturb(number: int) -> None:
        chance = random.Random(number)
        ready.wait(BOUND)
        for _ in range(60):
            job = chance.choice(jobs)
            with contextlib.suppress(GraphError):
                match chance.randrange(4):
                    case 0:
                        jobs.append(graph.start("a"))
                    case 1:
                        graph.pause(job)
                    case 2:
                        graph.resume(job)
                    case _:
                        graph.cancel(job)
            storm.board.look_at(job)

    threads = [begun(disturb, number) for number in range(4)]
    ready.wait(BOUND)
    closing = [begun(graph.shutdown, waits) for _ in range(2)]
    _all(threads)
    _all(closing)
    for job in jobs:
        assert graph.wait_for_completion(job, BOUND)
        assert job.status in AT_REST
        storm.board.look_at(job)
    with pytest.raises(GraphError, match="shut down"):
        graph.start("a")


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("mode", MODES)
def test_what_a_storm_leaves_in_files_goes_on_from_there(mode: Any, kind: str, tmp_path: Any) -> None:
    """Jobs that are saved while they run, paused and resumed by many until their graph is shut down amid that."""
    storm = _Storm(mode, kind)
    graph = storm.graph
    files = [tmp_path / str(number) for number in range(3)]
    jobs = [graph.start("a", save_to=file) for file in files]
    ready = threading.Barrier(4)

    def disturb(number: int) -> None:
        chance = random.Random(number)
        ready.wait(BOUND)
        for _ in range(25):
            which = chance.randrange(3)
            if chance.random() < 0.5:
                graph.pause(jobs[which])
            else:
                with contextlib.suppress(GraphError):
                    graph.resume(jobs[which], save_to=files[which])

    threads = [begun(disturb, number) for number in range(3)]
    ready.wait(BOUND)
    graph.shutdown(wait=False)
    _all(threads)
    other = storm.rebuilt()
    for job, file in zip(jobs, files, strict=True):
        assert graph.wait_for_completion(job, BOUND)
        loaded = JobState.load(file)
        assert loaded.status == job.status
        if job.status != RunStatus.COMPLETED:
            other.resume(loaded)
        storm.check_done(loaded)
