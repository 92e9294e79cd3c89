"""One job_run of a job, from its start or resumption until it has ended or paused."""

import logging
import threading
from collections.abc import Callable, Set
from contextvars import copy_context
from typing import Any, Final

from ..._clock import seconds, tick
from ...concurrency.background_loop import background_loop
from ...concurrency.event_loops import is_cancelled_error, running_loop
from ...concurrency.latch import Latch
from ...concurrency.lock_convoy import yield_while_taken
from ...concurrency.thread_pool import Pool
from ...concurrency.timer import TimeLimit
from ...errors import GraphError
from ...model.records import FlowRun
from ...model.status import RunStatus
from ...serialization.error_info import ErrorInfo
from ...serialization.exception_snapshot import Failure
from ..job.activation import Activation, enclosing_activations
from ..job.error_policy import FailureDecision, failure_decision, handler_of
from ..job.joined_record import cut_off
from ..job.state import JobState, PausePoint
from ..routines.merging import Merges
from ..routines.routine import Routine
from ..structure.graph_port import FINAL, Checkpoints, GraphPort, check_may_run
from .checkpoints import Checkpointer, activation_of, pending_of, unchanged_by_failure
from .delivery import Delivery
from .handler_call import call_handler
from .job_flow import Recording
from .job_log import JobLog
from .queued_work import Emitted, Work

__all__ = ["JobRun"]


_logger: Final = logging.getLogger("flowscope")


class JobRun:
    """Runs a job. What is decided is decided under the job's lock; handlers and listeners are called outside it."""

    def __init__(
        self,
        graph_port: GraphPort,
        job: JobState,
        workers: Pool[Activation],
        *,
        loop: object = None,
        checkpoints: Checkpoints | None = None,
        let_go: Callable[[JobState, "JobRun"], None],
    ) -> None:
        self.job = job
        self.inside = next(enclosing_activations(), None)
        """The activation, of whatever graph, that has started it; None once it is over."""
        self._graph_port = graph_port
        self._let_go = let_go
        self._loop = loop or background_loop()
        """Where async handlers run."""
        self._keeper = Checkpointer(job, checkpoints)
        self._lock = job._lock  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
        self._work = Work(workers)
        self._job_log = JobLog(job)
        self._delivery = Delivery(self, graph_port, self._work, self._job_log)
        self._time = TimeLimit(None)
        self._error: BaseException | None = None
        self._may_begin = True
        self._closing = False
        self.settled = Latch()
        """Done when the job_run is over."""
        self._recording = Recording(graph_port.flow_id, graph_port.flow_config)
        self._context = copy_context()

    def begin(self) -> None:
        """Start with what the job has pending; then its deferred events are emitted.

        Raises:
            GraphError: The job runs or has ended meanwhile, or has work for what the graph lacks.
            RuntimeError: No thread can be started. The job is as it was then.
        """
        with self._lock:
            if self._closing:
                return  # ended by somebody else before it began
            other = self.job._live  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
            runs = other is not None and not other.settled.is_set
            check_may_run(self.job, runs=runs, is_open=self._may_begin)
            self._graph_port.check_work(self.job)
            self._time = TimeLimit(self.job.remaining_time)
            self._delivery.merges = Merges(self.job.merges)
            with unchanged_by_failure(self.job):
                self.job._live = self  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
                self._begin()
            closes = self._closes()
        if closes:
            self._settle()

    def _begin(self) -> None:
        pending, deferred = self.job.pending_activations, self.job.deferred_events
        if self._time.is_over:
            self._job_log.timed_out(self._time.limit)
            self._end(RunStatus.TIMED_OUT)
            return
        self.job.pending_activations, self.job.deferred_events = [], []
        self.job.finished_runs = [cut_off(one) for one in self.job.finished_runs]
        self._job_log.change(RunStatus.RUNNING)
        try:
            for one in pending:
                self._delivery.post(activation_of(one, self, self._graph_port.routine(one.routine_id)))
            for event in deferred:
                self._delivery.send(event.routine_id, event.event_name, event.data)
        except BaseException:
            self._work.take()
            raise
        self._time.arm(self._time_out)
        self._check_saved(self._keeper.save())

    def give_up(self, error: BaseException) -> None:
        """End a job_run whose beginning has failed; before it has begun, the job is not its own."""
        with self._lock:
            begun = self.job._live is self  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
            closing, self._closing = self._closing, self._closing or not begun
        if begun:
            self.interrupt("its start was interrupted")
        elif not closing:
            try:
                self._recording.close(error, RunStatus.FAILED)
            finally:
                self._let_go(self.job, self)
                self.settled.set()

    def emit(self, activation: Activation, event_name: str, data: dict[str, Any]) -> None:
        """Send what a handler emits: now, or, if the job is saved while it runs, when the handler is through.

        Raises:
            GraphError: The handler is through.
        """
        with self._lock:
            if not self._work.runs(activation):
                place = f"{activation.routine_id}.{activation.slot}"
                raise GraphError(f"handler {place!r} has returned; await or join there what emits {event_name!r}.")
            if self._keeper.keeps:
                self._work.hold_back(activation, event_name, data)
            else:
                self._delivery.send(activation.routine_id, event_name, data)

    def perform(self, activation: Activation) -> None:
        """Call the handler, and decide what follows; never raises."""
        if self._time.is_over:
            self._time_out()
        yield_while_taken(self._lock)
        with self._lock:
            if not self._work.start(activation):
                return  # paused, cancelled or failed meanwhile
            self.job.current_routine_id = activation.routine_id
            self._job_log.set_state(activation.routine_id, "running")
            self._job_log.note(activation.routine_id, "start", activation.data)
        began = tick()
        error: BaseException | None = None
        try:
            self._context.copy().run(call_handler, activation, self._graph_port, self._recording.handle, self._loop)
        except BaseException as raised:
            error = raised
        activation.done = True
        try:
            self._performed(activation, error, seconds(began, tick()))
        finally:
            del error

    def _performed(self, activation: Activation, error: BaseException | None, spent: float) -> None:
        yield_while_taken(self._lock)
        with self._lock:
            decides = self.job.status not in FINAL
            if decides:
                self._job_log.measure(activation.routine_id, spent, failed=error is not None)
                try:
                    self._decide(activation, error, self._work.held_back(activation))
                except BaseException as problem:  # such as no memory for what follows
                    self._fail_job(problem, Failure(problem).info())
            self._work.finish(activation)
            if decides:
                self._check_saved(self._keeper.finished_one())
            closes = self._closes()
        if closes:
            self._settle()

    def _decide(self, activation: Activation, error: BaseException | None, emitted: Emitted) -> None:
        if error is None:
            self._job_log.set_state(activation.routine_id, "completed")
            self._job_log.note(activation.routine_id, "completed", {})
            self._delivery.send_all(activation.routine_id, emitted)
        elif self.job.status is RunStatus.PAUSED and is_cancelled_error(error):
            self._delivery.post(activation)  # the event loop of its handler went away, and it runs again elsewhere
        else:
            self._fail(activation, error, emitted)

    def _fail(self, activation: Activation, error: BaseException, emitted: Emitted) -> None:
        routine: Routine = activation.routine
        handler = handler_of(routine.error_handler, self._graph_port.error_handler)
        decision = failure_decision(error, activation.attempt, handler, optional=routine.is_optional)
        info = Failure(error).info()
        self._job_log.note(activation.routine_id, decision.value, {"error": info.model_dump()})
        if decision is FailureDecision.RETRY:
            self._job_log.set_state(activation.routine_id, "running", info, retries=1)
            self._retry_later(activation, handler.pause_after(activation.attempt))
        elif decision is FailureDecision.FAIL_JOB:
            self._job_log.set_state(activation.routine_id, "failed", info)
            self._fail_job(error, info)
        else:
            self._job_log.set_state(activation.routine_id, decision.value, info)
            self._delivery.send_all(activation.routine_id, emitted)

    def _fail_job(self, error: BaseException, info: ErrorInfo) -> None:
        self._error = error
        self.job.error = info
        self._end(RunStatus.FAILED)

    def _retry_later(self, activation: Activation, pause: float) -> None:
        again = activation.next_attempt()
        if pause == 0 or self.job.status is RunStatus.PAUSED:
            self._delivery.post(again)
        else:
            self._work.retry(again, pause, self._retry)

    def _retry(self, activation: Activation) -> None:
        with self._lock:
            if self._work.retries(activation):
                self._delivery.post(activation)

    def pause(self, reason: str, checkpoint: object) -> None:
        """Keep what waits; what runs goes on to its end."""
        with self._lock:
            if self.job.status is not RunStatus.RUNNING or self.settled.is_set:
                return  # once settled, the job may run again elsewhere
            self._job_log.change(RunStatus.PAUSED)
            self.job.pause_points.append(PausePoint(reason=reason, checkpoint=checkpoint))
            self.job.pending_activations = [pending_of(one) for one in self._work.take()]
            self.job.remaining_time = self._time.left
            closes = self._closes()
        if closes:
            self._settle()

    def cancel(self, reason: str) -> None:
        """End the job at once; sync handlers go on to their end, async ones are cancelled."""
        self._end_early(FINAL, RunStatus.CANCELLED, lambda: self._job_log.cancelled(reason))

    def interrupt(self, reason: str) -> None:
        """End the job, or pause it if it is saved while it runs; one that is paused, or has not begun, stays so."""
        with self._lock:
            self._may_begin = False
            paused = self.job.status is RunStatus.PAUSED
        if self._keeper.keeps:
            self.pause(reason, None)
        elif not paused:
            self.cancel(reason)

    def _time_out(self) -> None:
        unless = FINAL | {RunStatus.PAUSED}
        self._end_early(unless, RunStatus.TIMED_OUT, lambda: self._job_log.timed_out(self._time.limit))

    def _end_early(self, unless: Set[RunStatus], status: RunStatus, note: Callable[[], None]) -> None:
        with self._lock:
            if self.job.status in unless or self.settled.is_set:
                return
            note()
            running = self._work.running
            self._end(status)
            closes = self._closes()
        for task in [activation.task for activation in running]:
            if task is not None:
                task.cancel()
        if closes:
            self._settle()
        else:
            self._recording.cancel_submitted()

    def _end(self, status: RunStatus) -> None:
        """Drop what waits; it is listed in the job."""
        kept = [] if self.job.status is RunStatus.RUNNING else self.job.pending_activations
        self.job.pending_activations = [*kept, *map(pending_of, self._work.take())]
        self._job_log.change(status)

    def _closes(self) -> bool:
        """Whether the job_run is over now, but for what its handlers have submitted; true once."""
        if self._closing:
            return False
        status = self.job.status
        through = status is RunStatus.PAUSED and not self._work.running
        self._closing = status in FINAL or through or (status is RunStatus.RUNNING and self._work.done)
        return self._closing

    def _settle(self) -> None:
        """End what was submitted and the record, where that may take its time; then wake those who wait."""
        if self.job.status is not RunStatus.RUNNING:
            self._time.disarm()
        held: bool = self._lock._is_owned()  # noqa: SLF001 - as `threading.Condition` asks it
        if held or running_loop() is not None or self._recording.has_submitted:
            try:
                threading.Thread(target=self._wind_up, name="flowscope-graph-end", daemon=True).start()
            except RuntimeError:
                pass  # the system gives no more threads
            else:
                return
        self._wind_up()

    def _wind_up(self) -> None:
        try:
            failed = self._recording.wind_up(self._error, cancel=self.job.status in FINAL)
            with self._lock:
                self._conclude(failed)
            self._recording.close(self._error, self.job.status)
        finally:
            self._finish()

    def _conclude(self, failed: BaseException | None) -> None:
        """Decide the status of a job that is through; `failed` is what a submitted task has failed with."""
        self._time.disarm()
        if failed is not None and self.job.status not in FINAL:
            self._fail_job(failed, Failure(failed).info())
        elif self.job.status is RunStatus.RUNNING:
            self.job.pending_activations = []
            self._job_log.change(RunStatus.COMPLETED)

    def _finish(self) -> None:
        with self._lock:
            self.job.merges = self._delivery.merges.states()
            self._check_saved(self._keeper.save())
            if self.job.status is RunStatus.PAUSED:
                self.job.finished_runs = [*self.job.finished_runs, self._recording.record()]
                self.job._live = None  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
            self._error = self.inside = None
            self._let_go(self.job, self)
            self.settled.set()

    def wait(self, timeout: float | None) -> bool:
        """Block until the job_run is over; whether it is, after so many seconds.

        Raises:
            GraphError: It would block, without a timeout, the event loop in which its handlers run.
        """
        if timeout is None:
            self.check_may_wait()
        return self.settled.wait_blocking(timeout)

    def check_may_wait(self) -> None:
        """Refuse to block the event loop in which its handlers run.

        Raises:
            GraphError: This is in that loop.
        """
        if running_loop() is self._loop and not self.settled.is_set:
            raise GraphError(
                f"the handlers of job {self.job.job_id!r} run in this event loop, which would wait for itself. "
                "Await execute_async() or resume_async(), or wait with a timeout."
            )

    def record(self) -> FlowRun[Any]:
        """The record of this job_run."""
        return self._recording.record()

    def snapshot(self) -> dict[str, Any]:
        """What of the job differs if all work that is not finished counts as pending."""
        changes: dict[str, Any] = {
            "merges": self._delivery.merges.states(),
            "finished_runs": [*self.job.finished_runs, self._recording.record()],
        }
        if self.job.status is RunStatus.RUNNING:
            changes["remaining_time"] = self._time.left
        if self.job.status not in FINAL:
            work = map(pending_of, self._work.all())
            changes["pending_activations"] = [*self.job.pending_activations, *work]
        return changes

    def _check_saved(self, error: Exception | None) -> None:
        """A job that cannot be saved as promised does not go on; one that has ended or paused stays what it is."""
        if error is None:
            return
        info = Failure(error).info()
        if self.job.status is RunStatus.RUNNING:
            self._fail_job(error, info)
        else:
            self.job.error = self.job.error or info
            _logger.error("job %s cannot be saved: %s", self.job.job_id, info.message)
