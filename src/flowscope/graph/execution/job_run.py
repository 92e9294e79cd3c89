"""One job_run of a job, from its start or resumption until it has ended or paused."""

import threading
from collections.abc import Callable, Set
from typing import Any

from ...concurrency.event_loops import running_loop
from ...concurrency.latch import Latch
from ...concurrency.timer import TimeLimit
from ...errors import GraphError
from ...model.records import FlowRun
from ...model.status import RunStatus
from ..job.activation import Activation
from ..job.joined_record import cut_off
from ..job.state import JobState, PausePoint
from ..structure.graph_port import FINAL, Checkpoints, GraphPort, check_may_run
from .activation_handling import ActivationHandling
from .checkpoints import activation_of, pending_of, unchanged_by_failure
from .job_flow import JobFlow
from .status_changes import change_status, note_cancellation, note_timeout
from .worker_threads import WorkerThreads

__all__ = ["JobRun"]


class EndedRun:
    """What a job keeps of its last run: the record, and nothing that leads back to the job."""

    __slots__ = ("_job_flow", "settled")

    def __init__(self, recording: JobFlow, settled: Latch) -> None:
        self._job_flow = recording
        self.settled: Latch = settled

    def record(self) -> FlowRun[Any]:
        """The record of the job run."""
        return self._job_flow.record()

    def snapshot(self, finished_runs: list[FlowRun[Any]], record: FlowRun[Any]) -> dict[str, Any]:
        """What of the job is added by the job run."""
        return {"finished_runs": [*finished_runs, record]}


class JobRun(ActivationHandling):
    """Runs a job. What is decided is decided under the job's lock; handlers and listeners are called outside it."""

    def __init__(
        self,
        graph_port: GraphPort,
        job: JobState,
        workers: WorkerThreads,
        *,
        loop: object = None,
        checkpoints: Checkpoints | None = None,
        let_go: Callable[[JobState, "JobRun"], None],
    ) -> None:
        super().__init__(graph_port, job, workers, loop, checkpoints)
        self._let_go = let_go
        self._cancelled: list[Activation] = []
        """Those whose async handlers were cancelled with the job."""
        self._may_begin = True
        self._closing = False
        self.settled: Latch = Latch()
        """Done when the job_run is over."""

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
            job_log = self._prepare()
            with unchanged_by_failure(self.job, job_log):
                self._deliver_by(job_log)
                self.job._live = self  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
                self._begin()
            closes = self._closes()
        if closes:
            self._settle()

    def _begin(self) -> None:
        pending, deferred = self.job.pending_activations, self.job.deferred_events
        if self._time.is_over:
            note_timeout(self.job, self._time.limit)
            self._end(RunStatus.TIMED_OUT)
            return
        self.job.pending_activations, self.job.deferred_events = [], []
        self.job.finished_runs = [cut_off(one) for one in self.job.finished_runs]
        change_status(self.job, RunStatus.RUNNING)
        try:
            for one in pending:
                target = self._graph_port.bound_slot(one.routine_id, one.slot)
                self._delivery.post(activation_of(one, self.carrier, target))
            for event in deferred:
                routes = self._graph_port.routes_from(event.routine_id)
                self._delivery.send(event.routine_id, routes, event.event_name, event.data)
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
                self._job_flow.close(error, RunStatus.FAILED)
            finally:
                self._let_go(self.job, self)
                self.settled.set()

    def pause(self, reason: str, checkpoint: object) -> None:
        """Keep what waits; what runs goes on to its end."""
        with self._lock:
            if self.job.status is not RunStatus.RUNNING or self.settled.is_set:
                return  # once settled, the job may run again elsewhere
            change_status(self.job, RunStatus.PAUSED)
            self.job.pause_points.append(PausePoint(reason=reason, checkpoint=checkpoint))
            self.job.pending_activations = [pending_of(one) for one in self._work.take()]
            self.job.remaining_time = self._time.left
            closes = self._closes()
        if closes:
            self._settle()

    def cancel(self, reason: str) -> None:
        """End the job at once; sync handlers go on to their end, async ones are cancelled."""
        self._end_early(FINAL, RunStatus.CANCELLED, lambda: note_cancellation(self.job, reason))

    def interrupt(self, reason: str) -> None:
        """End the job, or pause it if it is saved while it runs; one that is paused, or has not begun, stays so."""
        with self._lock:
            self._may_begin = False
            paused = self.job.status is RunStatus.PAUSED
        if self._keeps:
            self.pause(reason, None)
        elif not paused:
            self.cancel(reason)

    def _time_out(self) -> None:
        unless = FINAL | {RunStatus.PAUSED}
        self._end_early(unless, RunStatus.TIMED_OUT, lambda: note_timeout(self.job, self._time.limit))

    def _end_early(self, unless: Set[RunStatus], status: RunStatus, note: Callable[[], None]) -> None:
        with self._lock:
            if self.job.status in unless or self.settled.is_set:
                return
            note()
            running = self._work.running
            self._end(status)
            self._cancelled = [activation for activation in running if activation.is_async]
            closes = self._closes()
        for activation in self._cancelled:
            if (task := activation.task) is not None:
                task.cancel()
        if closes:
            self._settle()
        else:
            self._job_flow.cancel_submitted()

    def _closes(self) -> bool:
        """Whether the job_run is over now, but for what its handlers have submitted; true once."""
        if self._closing:
            return False
        status = self.job.status
        through = status is RunStatus.PAUSED and not self._work.running
        if status is RunStatus.RUNNING and not self._work.unfinished:
            through = not self._flushes()
        self._closing = status in FINAL or through
        return self._closing

    def _settle(self) -> None:
        """End what was submitted and the record, where that may take its time; then wake those who wait."""
        if self.job.status is not RunStatus.RUNNING:
            self._time.disarm()
        held: bool = self._lock._is_owned()  # noqa: SLF001 - as `threading.Condition` asks it
        if held or running_loop() is not None or self._job_flow.has_submitted:
            try:
                threading.Thread(target=self._wind_up, name="flowscope-graph-end", daemon=True).start()
            except RuntimeError:
                pass  # the system gives no more threads
            else:
                return
        self._wind_up()

    def _wind_up(self) -> None:
        try:
            failed = self._job_flow.wind_up(self._error, cancel=self.job.status in FINAL)
            with self._lock:
                self._conclude(failed)
            self._job_flow.cancel_calls(self._cancelled)
            self._note_undelivered()
            self._job_flow.close(self._error, self.job.status)
        finally:
            self._finish()

    def _note_undelivered(self) -> None:
        if self.job.status not in FINAL:
            return
        with self._lock:
            waiting = self._job_log.merges.waiting()
        for (routine_id, slot), count in waiting.items():
            messages = f"{count} message{'s' if count > 1 else ''}"
            self._job_flow.warn(f"{messages} for slot {slot!r} of routine {routine_id!r} waited for more, undelivered")

    def _conclude(self, failed: BaseException | None) -> None:
        """Decide the status of a job that is through; `failed` is what a submitted task has failed with."""
        self._time.disarm()
        if failed is not None and self.job.status not in FINAL:
            self._fail_job(failed, self._job_log.error_info(failed))
        elif self.job.status is RunStatus.RUNNING:
            self.job.pending_activations = []
            change_status(self.job, RunStatus.COMPLETED)

    def _finish(self) -> None:
        with self._lock:
            self._check_saved(self._keeper.finish())
            if self.job.status is RunStatus.PAUSED:
                self.job.finished_runs = [*self.job.finished_runs, self._job_flow.record()]
                live = None
            else:
                live = EndedRun(self._job_flow, self.settled)
            self.job._live = live  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
            self._error = None
            self.carrier.release()
            self._let_go(self.job, self)
            self.settled.set()
            self._cancelled = []
            del (
                self._graph_port,
                self._let_go,
                self._partial_groups,
            )  # who keeps the job does not keep the graph, nor its threads

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
        return self._job_flow.record()

    def snapshot(self, finished_runs: list[FlowRun[Any]], record: FlowRun[Any]) -> dict[str, Any]:
        """What of the job differs if all work that is not finished counts as pending."""
        changes: dict[str, Any] = {"finished_runs": [*finished_runs, record]}
        if self.job.status is RunStatus.RUNNING:
            changes["remaining_time"] = self._time.left
        if self.job.status not in FINAL:
            work = map(pending_of, self._work.unfinished.values())
            changes["pending_activations"] = [*self.job.pending_activations, *work]
        return changes
