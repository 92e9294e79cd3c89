"""Jobs and event loops: where async handlers run, what their context is, and what becomes of them when things end early."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import pytest

from flowscope import Flow, RunStatus, current_flow_or_none, submit, task
from flowscope.graph import ErrorHandler, ErrorStrategy, GraphError, JobState, Routine, RoutineGraph
from support.graph.routines import BOUND, AsyncGate, Counter, Gate, Hold, Source, begun, called, graph_of, values_of

MODES = ["sequential", "concurrent"]


def _hold(gate: AsyncGate) -> Routine:
    async def handler(value: int = 0) -> None:
        await gate.pass_through()
        routine.emit("out", value=value)

    routine = called(handler, "out")
    return routine


def _noting_loop(seen: list[Any]) -> Routine:
    async def handler() -> None:
        await asyncio.sleep(0)
        seen.append(asyncio.get_running_loop())

    return called(handler)


def test_async_handlers_run_in_the_callers_loop_or_in_one_in_the_background() -> None:
    """`execute_async` has them in its own loop, also after others; `execute` and `start` in one for all, of no user."""
    seen: list[Any] = []
    graph, other = graph_of(_noting_loop(seen)), graph_of(_noting_loop(seen))

    async def main() -> None:
        own = asyncio.get_running_loop()
        assert (await graph.execute_async("a")).status == RunStatus.COMPLETED
        assert seen.pop() is own
        job = other.start("a")
        assert await asyncio.to_thread(other.wait_for_completion, job, BOUND)
        assert seen[-1] is not own

    asyncio.run(main())
    graph.execute("a")
    other.execute("a")
    assert len(seen) == 3
    assert len(set(map(id, seen))) == 1


def test_a_job_does_not_hold_what_its_async_handlers_ran_in() -> None:
    """The asyncio task of an activation is gone when the handler is through, however long the job is kept."""
    seen: list[weakref.ref[Any]] = []

    async def handler() -> None:
        await asyncio.sleep(0)
        seen.append(weakref.ref(asyncio.current_task()))
        if len(seen) < 10:
            routine.emit("out")

    routine = called(handler, "out")
    graph = graph_of(routine)
    graph.connect("a", "out", "a", "trigger")
    job = graph.execute("a")
    gc.collect()
    assert len(seen) == len(job.flow_run.tasks) == 10
    assert [ref for ref in seen[:-1] if ref() is not None] == []


def test_one_graph_serves_two_loops_at_once() -> None:
    """Each job's handlers run in the loop of their own caller, though they share workers."""
    together = threading.Barrier(2)
    seen: dict[int, Any] = {}

    async def handler(number: int) -> None:
        await asyncio.to_thread(together.wait, BOUND)
        seen[number] = asyncio.get_running_loop()

    graph = graph_of(called(handler), execution_strategy="concurrent", max_workers=2)

    async def main(number: int) -> tuple[JobState, bool]:
        job = await graph.execute_async("a", {"number": number})
        return job, seen[number] is asyncio.get_running_loop()

    running = [begun(lambda number=number: asyncio.run(main(number))) for number in (1, 2)]
    for one in running:
        job, own = one.result(BOUND)
        assert job.status == RunStatus.COMPLETED
        assert own
    assert seen[1] is not seen[2]


async def test_a_sync_handler_does_not_block_the_loop() -> None:
    """It waits for what the loop does meanwhile."""
    gate = Gate()
    graph = graph_of(Hold(gate), Counter())
    running = asyncio.create_task(graph.execute_async("a"))
    await asyncio.to_thread(gate.wait_entered)
    gate.open()
    assert (await running).status == RunStatus.COMPLETED


@pytest.mark.parametrize("mode", MODES)
def test_cancelling_a_job_cancels_its_async_handlers(mode: Any) -> None:
    """At once, wherever they run; what they emit on their way out goes nowhere, and their tasks are cancelled ones."""
    gate = AsyncGate()
    ended = threading.Semaphore(0)

    async def handler(value: int) -> None:
        try:
            await gate.pass_through()
        finally:
            routine.emit("out", value=value)
            ended.release()

    routine = called(handler, "out")
    graph = graph_of(Source(count=2), routine, Counter(), execution_strategy=mode, max_workers=2)
    width = 1 if mode == "sequential" else 2
    job = graph.start("a")
    gate.wait_entered(width)
    graph.cancel(job)
    assert graph.wait_for_completion(job, 0)
    for _ in range(width):
        assert ended.acquire(timeout=BOUND)
    assert job.status == RunStatus.CANCELLED
    assert not values_of(job)
    gate.open()
    assert graph.execute("a").status == RunStatus.COMPLETED


def test_a_cancelled_async_handler_keeps_its_worker_until_it_is_through() -> None:
    """One activation at a time means that the next job's begins after its clean-up."""
    gate, cleaning = AsyncGate(), AsyncGate()
    seen: list[str] = []

    async def handler() -> None:
        try:
            await gate.pass_through()
        finally:
            await cleaning.pass_through()
            seen.append("cleaned up")

    graph = graph_of(called(handler))
    graph.add_routine(called(lambda: seen.append("next")), "next")
    job = graph.start("a")
    gate.wait_entered()
    following = graph.start("next")
    graph.cancel(job)
    cleaning.wait_entered()
    cleaning.open()
    assert graph.wait_for_completion(following, BOUND)
    assert seen == ["cleaned up", "next"]


async def test_cancelling_the_wait_cancels_the_job() -> None:
    """The task that awaits `execute_async` or `resume_async` is cancelled as any, and the handler with it."""
    ended = asyncio.Event()
    gate = AsyncGate()

    def pausing() -> None:
        first.emit("out")
        graph.pause(first.job)

    async def handler() -> None:
        jobs.append(routine.job)
        try:
            await gate.pass_through()
        finally:
            ended.set()

    jobs: list[JobState] = []
    first, routine = called(pausing, "out"), called(handler)
    graph = graph_of(first, routine)
    paused = await graph.execute_async("a")
    assert paused.status.value == "paused"
    calls: list[Callable[[], Awaitable[JobState]]] = [
        lambda: graph.execute_async("b"),
        lambda: graph.resume_async(paused),
    ]
    for call in calls:
        ended.clear()
        waiting = asyncio.ensure_future(call())
        await asyncio.to_thread(gate.wait_entered)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert jobs[-1].status == RunStatus.CANCELLED
        await asyncio.wait_for(ended.wait(), BOUND)
    assert jobs[-1] is paused


def test_a_loop_that_ends_amid_a_job_cancels_it() -> None:
    """`asyncio.run` cancels what is left in its loop: the job is cancelled, and the worker is free for others."""
    gate = AsyncGate()
    jobs: list[JobState] = []

    async def handler() -> None:
        jobs.append(routine.job)
        await gate.pass_through()

    routine = called(handler)
    graph = graph_of(routine)
    graph.add_routine(called(lambda: None), "other")
    tasks: list[asyncio.Task[JobState]] = []

    async def main() -> None:
        tasks.append(asyncio.create_task(graph.execute_async("a")))
        await asyncio.to_thread(gate.wait_entered)

    begun(asyncio.run, main()).result(BOUND)
    assert graph.wait_for_completion(jobs[0], BOUND)
    assert jobs[0].status == RunStatus.CANCELLED
    assert tasks[0].cancelled()
    other = graph.start("other")
    assert graph.wait_for_completion(other, BOUND)


def test_an_async_handler_that_will_not_be_cancelled_is_left_behind() -> None:
    """Its job is cancelled at once all the same, and final, whatever it does later; others go on when it lets them."""
    gate, second = AsyncGate(), AsyncGate()
    said: list[object] = []

    async def handler() -> None:
        try:
            await gate.pass_through()
        except asyncio.CancelledError:
            await second.pass_through()
        said.append(routine.job.status)
        routine.emit("out", value=1)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter())
    graph.add_routine(called(lambda: None), "other")
    job = graph.start("a")
    gate.wait_entered()
    other = graph.start("other")
    graph.cancel(job)
    assert graph.wait_for_completion(job, 0)
    before = job.model_dump_json()
    second.wait_entered()
    second.open()
    assert graph.wait_for_completion(other, BOUND)
    assert said == [RunStatus.CANCELLED]
    assert job.model_dump_json() == before
    assert not values_of(job)


@pytest.mark.parametrize("mode", MODES)
def test_a_deadline_cancels_async_handlers(mode: Any) -> None:
    """The job has timed out, its handler is told so, and the next job goes on."""
    gate = AsyncGate()
    ended = threading.Event()

    async def handler(waits: bool) -> None:
        try:
            if waits:
                await gate.pass_through()
        finally:
            ended.set()

    graph = graph_of(called(handler), execution_strategy=mode)
    job = graph.execute("a", {"waits": True}, timeout=0.02)
    assert job.status == RunStatus.TIMED_OUT
    assert graph.execute("a", {"waits": False}).status == RunStatus.COMPLETED
    assert ended.wait(BOUND)


@pytest.mark.parametrize("mode", MODES)
async def test_pausing_lets_async_handlers_go_on(mode: Any) -> None:
    """They are not cancelled; the wait returns when they are through, and the job can be resumed in another loop."""
    gate = AsyncGate()
    graph = graph_of(Source(count=3), _hold(gate), Counter(), execution_strategy=mode)
    job = graph.start("a")
    await asyncio.to_thread(gate.wait_entered)
    graph.pause(job)
    assert not graph.wait_for_completion(job, 0)
    gate.open()
    assert await asyncio.to_thread(graph.wait_for_completion, job, BOUND)
    assert job.status.value == "paused"
    assert job.routine_states["b"].status == "completed"
    assert (await graph.resume_async(job)).status == RunStatus.COMPLETED
    assert sorted(values_of(job)) == [0, 1, 2]


async def test_pause_and_resume_in_a_loop_again_and_again() -> None:
    """A handler pauses its job at each message; as many resumptions later all is done, once."""
    graph: RoutineGraph

    async def handler(value: int) -> None:
        await asyncio.sleep(0)
        graph.pause(routine.job)
        routine.emit("out", value=value)

    routine = called(handler, "out")
    graph = graph_of(Source(count=10), routine, Counter())
    job = await graph.execute_async("a")
    stretches = 1
    while job.status == RunStatus.PAUSED:
        assert await graph.resume_async(job) is job
        stretches += 1
    assert job.status == RunStatus.COMPLETED
    assert values_of(job) == list(range(10))
    assert stretches == 11
    assert len(job.pause_points) == 10


async def test_of_two_who_resume_in_a_loop_one_does() -> None:
    """The other one gets a `GraphError`."""

    def handler() -> None:
        routine.emit("out", value=1)
        graph.pause(routine.job)

    routine = called(handler, "out")
    graph = graph_of(routine, Counter())
    job = await graph.execute_async("a")
    outcomes = await asyncio.gather(*(graph.resume_async(job) for _ in range(5)), return_exceptions=True)
    assert outcomes.count(job) == 1
    assert sum(isinstance(one, GraphError) for one in outcomes) == 4
    assert values_of(job) == [1]


_variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nothing")


async def _start_each_way(graph: RoutineGraph) -> None:
    _variable.set("execute_async")
    await graph.execute_async("a")
    _variable.set("execute")
    await asyncio.to_thread(graph.execute, "a")
    _variable.set("start")
    job = graph.start("a")
    assert await asyncio.to_thread(graph.wait_for_completion, job, BOUND)


def test_handlers_see_the_context_of_who_starts_the_job() -> None:
    """Sync and async ones, however it is started; what they set is theirs alone, and a resumption has its own."""
    seen: list[str] = []

    def handler() -> None:
        seen.append(_variable.get())
        _variable.set("changed")

    async def async_handler() -> None:
        handler()

    for one in (handler, async_handler):
        seen.clear()
        asyncio.run(_start_each_way(graph_of(called(one))))
        assert seen == ["execute_async", "execute", "start"]
        assert _variable.get() == "nothing"

    def pausing() -> None:
        routine.emit("out")
        graph.pause(routine.job)

    routine = called(pausing, "out")
    graph = graph_of(routine, called(async_handler))
    job = graph.execute("a")
    token = _variable.set("resumed")
    graph.resume(job)
    _variable.reset(token)
    assert seen[-1] == "resumed"


def test_an_async_handler_may_emit_from_what_it_awaits() -> None:
    """Its own asyncio tasks and threads speak for it, until it returns; then they are told so."""
    go = AsyncGate()
    said: Future[str] = Future()

    async def later() -> None:
        await go.pass_through()
        try:
            routine.emit("out", value=99)
        except GraphError as error:
            said.set_result(str(error))

    async def one(value: int) -> None:
        await asyncio.sleep(0)
        routine.emit("out", value=value)

    async def handler() -> None:
        async with asyncio.TaskGroup() as group:
            for value in range(5):
                group.create_task(one(value))
        await asyncio.to_thread(routine.emit, "out", value=5)
        stray.append(asyncio.create_task(later()))

    stray: list[asyncio.Task[None]] = []
    routine = called(handler, "out")
    job = graph_of(routine, Counter()).execute("a")
    assert job.status == RunStatus.COMPLETED
    go.wait_entered()
    go.open()
    assert "has returned" in said.result(BOUND)
    assert sorted(values_of(job)) == [0, 1, 2, 3, 4, 5]


async def test_a_handler_may_await_a_job_of_another_graph() -> None:
    """In its own loop, in both ways; the inner job is the inner graph's, and its flow the child of nobody's task."""
    inner = graph_of(Source(count=3), Counter())
    jobs: list[JobState] = []

    async def handler() -> None:
        jobs.append(await inner.execute_async("a"))

    outer = graph_of(called(handler))
    assert (await outer.execute_async("a")).status == RunStatus.COMPLETED
    assert (await asyncio.to_thread(outer.execute, "a")).status == RunStatus.COMPLETED
    assert [values_of(job) for job in jobs] == [[0, 1, 2]] * 2


def test_a_job_inside_a_running_flow_is_recorded_by_itself() -> None:
    """It is that flow's child; prints of handlers are the job's, and the flow goes on as the one that is running."""
    graph = graph_of(called(lambda: print("in the job")))
    with Flow(flow_name="outer") as flow:
        job = graph.execute("a")
        assert current_flow_or_none() is not None
        print("in the flow")
    assert job.flow_run.parent_flow_id == flow.flow_id
    assert [line.message for line in job.flow_run.logs if line.source == "stdout"] == ["in the job"]
    assert [line.message for line in flow.flow_run.logs if line.source == "stdout"] == ["in the flow"]
    assert not flow.flow_run.tasks


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
@pytest.mark.parametrize("strategy", list(ErrorStrategy))
def test_what_is_no_exception_fails_the_job(error: type[BaseException], strategy: ErrorStrategy) -> None:
    """From sync and async handlers alike, whatever the strategy says; the background loop goes on."""

    def handler() -> None:
        raise error("no")

    async def async_handler() -> None:
        raise error("no")

    for one in (handler, async_handler):
        routine = called(one).set_error_handler(ErrorHandler(strategy=strategy, retry_delay=0))
        graph = graph_of(routine)
        job = graph.start("a")
        assert graph.wait_for_completion(job, BOUND)
        assert job.status == RunStatus.FAILED
        assert job.error is not None
        assert job.error.type == error.__name__
        assert job.routine_states["a"].retry_count == 0
    assert graph_of(_noting_loop([])).execute("a").status == RunStatus.COMPLETED


def test_blocking_the_loop_of_a_jobs_handlers_is_refused() -> None:
    """What would never return says so, and the job goes on; with a timeout it is a wait like any."""
    gate = AsyncGate()
    jobs: list[JobState] = []

    async def handler() -> None:
        jobs.append(routine.job)
        await gate.pass_through()

    routine = called(handler)
    graph = graph_of(routine)

    async def main() -> RunStatus:
        running = asyncio.create_task(graph.execute_async("a"))
        await asyncio.to_thread(gate.wait_entered)
        job = jobs[0]
        assert graph.wait_for_completion(job, 0.01) is False
        refused: list[Callable[[], object]] = [
            lambda: graph.wait_for_completion(job),
            graph.shutdown,
            lambda: graph.__exit__(None, None, None),
        ]
        for one in refused:
            with pytest.raises(GraphError, match="wait for itself"):
                one()
        graph.pause(job)
        with pytest.raises(GraphError, match="wait for itself"):
            graph.resume(job)
        gate.open()
        assert (await running).status == RunStatus.PAUSED
        return (await graph.resume_async(job)).status

    assert begun(asyncio.run, main()).result(BOUND) == RunStatus.COMPLETED


@pytest.mark.parametrize("how", ["cancel", "timeout", "shutdown"])
def test_what_a_handler_has_submitted_ends_with_the_job(how: str) -> None:
    """Cancelled at once, with its tasks, in threads and in loops; nobody waits for them."""
    gate, async_gate = Gate(), AsyncGate()

    @task
    def slow() -> None:
        gate.pass_through()

    @task
    async def slow_async() -> None:
        await async_gate.pass_through()

    def handler() -> None:
        both = [submit(slow), submit(slow_async)]
        for one in both:
            one.result()

    graph = graph_of(called(handler))
    graph.add_routine(_noting_loop([]), "other")
    job = graph.start("a", timeout=0.05 if how == "timeout" else None)
    if how != "timeout":
        gate.wait_entered()
        async_gate.wait_entered()
    if how == "cancel":
        begun(graph.cancel, job).result(BOUND)
    elif how == "shutdown":
        begun(graph.shutdown, wait=False).result(BOUND)
    assert graph.wait_for_completion(job, BOUND)
    assert job.status == (RunStatus.TIMED_OUT if how == "timeout" else RunStatus.CANCELLED)
    if how != "shutdown":
        other = graph.start("other")
        assert graph.wait_for_completion(other, BOUND)
    gate.open()


def test_what_a_handler_has_submitted_belongs_to_the_job() -> None:
    """The job is not through before it is; if it fails and nobody has looked, the job has failed."""
    gate = Gate()

    @task
    def child(fails: bool) -> None:
        gate.pass_through()
        if fails:
            raise LookupError("child")

    graph = graph_of(called(lambda fails: submit(child, fails)))
    jobs = [graph.start("a", {"fails": fails}) for fails in (False, True)]
    gate.wait_entered(2)
    assert not any(graph.wait_for_completion(job, 0) for job in jobs)
    gate.open()
    assert all(graph.wait_for_completion(job, BOUND) for job in jobs)
    assert [job.status for job in jobs] == [RunStatus.COMPLETED, RunStatus.FAILED]
    assert jobs[1].error is not None
    assert jobs[1].error.message == "child"
    for job in jobs:
        assert job.flow_run.status == job.status
        assert len(job.flow_run.tasks) == 2


async def test_async_handlers_of_many_jobs_overlap() -> None:
    """As many as there are workers wait at once, in one loop."""
    gate = AsyncGate()
    graph = graph_of(_hold(gate), execution_strategy="concurrent", max_workers=4)
    running = [asyncio.create_task(graph.execute_async("a")) for _ in range(8)]
    await asyncio.to_thread(gate.wait_entered, 4)
    gate.open()
    jobs = await asyncio.gather(*running)
    assert {job.status for job in jobs} == {RunStatus.COMPLETED}
