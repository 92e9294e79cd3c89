"""One stretch of a job, from its start or resumption until it has ended or paused."""

import threading
from collections.abc import Callable, Iterable, Set
from contextvars import copy_context
from functools import partial
from typing import Any

from .._clock import now, seconds, tick
from ..engine.context import enter
from ..engine.failure import Failure
from ..engine.flow_drivers import close_flow, open_flow
from ..engine.live import Flow
from ..engine.loops import call_later, run_threadsafe
from ..errors import GraphError
from ..executors.aio import background_loop
from ..executors.pool import Pool
from ..executors.remote_errors import remote_error
from ..model.records import ErrorInfo, FlowRun
from ..model.status import RunStatus
from .activation import Activation, running_activation
from .host import FINAL, Checkpoints, Host
from .kinds import ErrorHandler
from .ledger import Ledger
from .merging import Merges, snapshot
from .policy import Verdict, verdict_on
from .ports import Route
from .routine import Routine
from .state import DeferredEvent, JobState, PausePoint, PendingActivation

__all__ = ["Stretch"]


class Stretch:
    """Runs a job. What is decided is decided under the job's lock; handlers and listeners are called outside it."""

    def __init__(
        self,
        host: Host,
        job: JobState,
        lane: Pool[Activation],
        *,
        loop: object = None,
        timeout: float | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.job = job
        self._host = host
        self._lane = lane
        self._loop = loop or background_loop()
        """Where async handlers run."""
        self._checkpoints = checkpoints
        self._finished = 0
        self._lock = job._lock  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
        self._waiting: dict[Activation, None] = {}
        self._running: dict[Activation, None] = {}
        self._retrying: dict[Activation, Callable[[], None]] = {}
        """Activations that wait for another attempt, and what prevents it."""
        self._held_back: dict[Activation, list[tuple[str, dict[str, Any]]]] = {}
        """What handlers have emitted that are not through, if the job is saved while it runs."""
        self._merges = Merges(job.merges)
        self._ledger = Ledger(job)
        self._timeout = timeout
        self._prevent_timeout: Callable[[], None] | None = None
        self._began = tick()
        self._error: BaseException | None = None
        self._closing = False
        self._settled = threading.Event()
        self._callbacks: list[Callable[[], object]] = []
        self._flow: Flow[Any] = Flow(flow_name=host.flow_id, flow_config=host.flow_config)
        self._state = self._flow._live  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one flow
        self._run = open_flow(self._flow, self._state)
        self._context = copy_context()

    def begin(self, pending: Iterable[PendingActivation], deferred: Iterable[DeferredEvent] = ()) -> None:
        """Start with these."""
        with self._lock:
            self.job._live = self  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
            self._change(RunStatus.RUNNING)
            if self._timeout is not None:
                self._prevent_timeout = call_later(background_loop(), self._timeout, self._time_out)
            for one in pending:
                self._post(self._kept(one))
            for event in deferred:
                self._send(event.routine_id, event.event_name, event.data)
            self._save()
            closes = self._closes()
        if closes:
            self._settle()

    def _kept(self, kept: PendingActivation) -> Activation:
        return Activation(
            self,
            self._host.routine(kept.routine_id),
            kept.routine_id,
            kept.slot,
            kept.data,
            priority=self.job.priority,
            attempt=kept.attempt,
            problem=None if kept.problem is None else remote_error(kept.problem),
        )

    def emit(self, activation: Activation, event_name: str, data: dict[str, Any]) -> None:
        """Send what a handler emits: now, or, if the job is saved while it runs, when the handler is through.

        Raises:
            GraphError: The handler is through.
        """
        with self._lock:
            if activation not in self._running:
                place = f"{activation.routine_id}.{activation.slot}"
                raise GraphError(f"handler {place!r} has returned; await or join there what emits {event_name!r}.")
            if activation in self._held_back:
                self._held_back[activation].append((event_name, data))
            else:
                self._send(activation.routine_id, event_name, data)

    def _send(self, routine_id: str, event_name: str, data: dict[str, Any]) -> None:
        if self.job.status in FINAL:
            return
        self._ledger.note(routine_id, event_name, data)
        for route in self._host.routes_from(routine_id, event_name):
            self._deliver(route, data)

    def _deliver(self, route: Route, data: dict[str, Any]) -> None:
        target, slot = route.connection.target_id, route.connection.target_slot
        arrived = route.connection.carry(data)
        problem: Exception | None = None
        try:
            arrived = self._merges.take(target, slot, route.merge_strategy, arrived)
        except Exception as raised:
            problem = raised
        self._post(Activation(self, route.target, target, slot, arrived, priority=self.job.priority, problem=problem))

    def _post(self, activation: Activation) -> None:
        if self.job.status is RunStatus.RUNNING:
            self._waiting[activation] = None
            self._lane.put(activation)
        elif self.job.status is RunStatus.PAUSED:
            self.job.pending_activations.append(_pending(activation))

    def perform(self, activation: Activation) -> None:
        """Call the handler, and decide what follows; never raises."""
        with self._lock:
            if activation not in self._waiting:
                return  # paused, cancelled or failed meanwhile
            del self._waiting[activation]
            self._running[activation] = None
            if self._checkpoints is not None:
                self._held_back[activation] = []
            self.job.current_routine_id = activation.routine_id
            self._ledger.set_state(activation.routine_id, "running")
            self._ledger.note(activation.routine_id, "start", activation.data)
        began = tick()
        error: BaseException | None = None
        try:
            self._context.copy().run(self._handle, activation)
        except BaseException as raised:
            error = raised
        activation.done = True
        try:
            self._performed(activation, error, seconds(began, tick()))
        finally:
            del error

    def _handle(self, activation: Activation) -> None:
        enter(self._run.root)
        running_activation.set(activation)
        receiver = self._host.receiver(activation.routine_id, activation.slot)
        if receiver is None:
            return  # a slot that only merges
        data = snapshot(activation.data) if self._checkpoints is not None else activation.data
        args, kwargs = receiver.bind(data, activation.problem)
        if not receiver.is_async:
            receiver.call(*args, **kwargs)
            return
        future = run_threadsafe(receiver.call(*args, **kwargs), self._loop)
        activation.task = future
        if self.job.status in FINAL:
            future.cancel()
        future.result()

    def _performed(self, activation: Activation, error: BaseException | None, spent: float) -> None:
        with self._lock:
            self._running.pop(activation, None)
            emitted = self._held_back.pop(activation, [])
            if self.job.status not in FINAL:
                self._ledger.measure(activation.routine_id, spent, failed=error is not None)
                if error is None:
                    self._ledger.set_state(activation.routine_id, "completed")
                    self._ledger.note(activation.routine_id, "completed", {})
                    self._send_all(activation, emitted)
                else:
                    self._fail(activation, error, emitted)
                self._save_sometimes()
            closes = self._closes()
        if closes:
            self._settle()

    def _send_all(self, activation: Activation, emitted: list[tuple[str, dict[str, Any]]]) -> None:
        for event_name, data in emitted:
            self._send(activation.routine_id, event_name, data)

    def _fail(self, activation: Activation, error: BaseException, emitted: list[tuple[str, dict[str, Any]]]) -> None:
        routine: Routine = activation.routine
        own, shared = routine.error_handler, self._host.error_handler
        verdict = verdict_on(error, activation.attempt, own, shared, optional=routine.is_optional)
        info = Failure(error).info()
        self._ledger.note(activation.routine_id, verdict.value, {"error": info})
        if verdict is Verdict.RETRY:
            self._ledger.set_state(activation.routine_id, "running", info, retries=1)
            self._retry_later(activation, (own or shared or ErrorHandler()).pause_after(activation.attempt))
        elif verdict is Verdict.FAIL_JOB:
            self._ledger.set_state(activation.routine_id, "failed", info)
            self._fail_job(error, info)
        else:
            self._ledger.set_state(activation.routine_id, verdict.value, info)
            self._send_all(activation, emitted)

    def _fail_job(self, error: BaseException, info: ErrorInfo) -> None:
        self._error = error
        self.job.error = info
        self._end(RunStatus.FAILED)

    def _retry_later(self, activation: Activation, pause: float) -> None:
        activation.attempt += 1
        activation.done = False
        if self.job.status is RunStatus.PAUSED:
            self.job.pending_activations.append(_pending(activation))
        else:
            self._retrying[activation] = call_later(background_loop(), pause, partial(self._retry, activation))

    def _retry(self, activation: Activation) -> None:
        with self._lock:
            if self._retrying.pop(activation, None) is not None:
                self._post(activation)

    def pause(self, reason: str, checkpoint: object) -> None:
        """Keep what waits; what runs goes on to its end."""
        with self._lock:
            if self.job.status is not RunStatus.RUNNING or self._settled.is_set():
                return  # once settled, the job may run again elsewhere
            self._change(RunStatus.PAUSED)
            self.job.pause_points.append(PausePoint(reason=reason, checkpoint=checkpoint))
            self.job.pending_activations = self._take_work()
            self.job.remaining_time = self._remaining_time()
            closes = self._closes()
        if closes:
            self._settle()

    def _remaining_time(self) -> float | None:
        return None if self._timeout is None else max(0.0, self._timeout - seconds(self._began, tick()))

    def cancel(self, reason: str) -> None:
        """End the job at once; sync handlers go on to their end, async ones are cancelled."""
        self._end_early(FINAL, RunStatus.CANCELLED, {"reason": reason})

    def _time_out(self) -> None:
        self._end_early(FINAL | {RunStatus.PAUSED}, RunStatus.TIMED_OUT, {"timeout": self._timeout})

    def _end_early(self, unless: Set[RunStatus], status: RunStatus, data: dict[str, Any]) -> None:
        with self._lock:
            if self.job.status in unless or self._settled.is_set():
                return
            self._ledger.note("", status.value, data)
            running = list(self._running)
            self._end(status)
            closes = self._closes()
        for activation in running:
            if activation.task is not None:
                activation.task.cancel()
        if closes:
            self._settle()

    def _end(self, status: RunStatus) -> None:
        """Drop what waits; it is listed in the job."""
        kept = [] if self.job.status is RunStatus.RUNNING else self.job.pending_activations
        self.job.pending_activations = [*kept, *self._take_work()]
        self._change(status)

    def _take_work(self) -> list[PendingActivation]:
        """What waits, and waits no more."""
        work = self._work(self._waiting, self._retrying)
        for prevent in self._retrying.values():
            prevent()
        self._waiting.clear()
        self._retrying.clear()
        return work

    @staticmethod
    def _work(*groups: Iterable[Activation]) -> list[PendingActivation]:
        return [_pending(one) for one in sorted((one for group in groups for one in group), key=_number)]

    def _closes(self) -> bool:
        """Whether the stretch is over now; true once."""
        if self._closing:
            return False
        if self.job.status is RunStatus.RUNNING and not (self._waiting or self._running or self._retrying):
            self.job.pending_activations = []
            self._change(RunStatus.COMPLETED)
        self._closing = self.job.status in FINAL or (self.job.status is RunStatus.PAUSED and not self._running)
        return self._closing

    def _settle(self) -> None:
        """End the record, and wake those who wait."""
        if self._prevent_timeout is not None:
            self._prevent_timeout()
        status = self.job.status
        try:
            close_flow(self._state, self._run, self._error, status)
        finally:
            with self._lock:
                self.job.merges = self._merges.states()
                self._save()
                if status is RunStatus.PAUSED:
                    self.job.finished_runs = [*self.job.finished_runs, self._flow.flow_run]
                    self.job._live = None  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
                self._error = None
                self._host.settled(self.job)
                self._settled.set()
                callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback()

    def wait(self, timeout: float | None) -> bool:
        """Block until the stretch is over; whether it is, after so many seconds."""
        return self._settled.wait(timeout)

    def when_settled(self, callback: Callable[[], object]) -> None:
        """Call something when the stretch is over; at once if it is."""
        with self._lock:
            if not self._settled.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def records(self) -> list[FlowRun[Any]]:
        """The record of this stretch."""
        return [self._flow.flow_run]

    def snapshot(self) -> JobState:
        """The job with all work that is not finished as pending."""
        changes: dict[str, Any] = {
            "merges": self._merges.states(),
            "finished_runs": [*self.job.finished_runs, self._flow.flow_run],
        }
        if self.job.status is RunStatus.RUNNING:
            changes["remaining_time"] = self._remaining_time()
        if self.job.status not in FINAL:
            work = self._work(self._running, self._waiting, self._retrying)
            changes["pending_activations"] = [*self.job.pending_activations, *work]
        return self.job.model_copy(update=changes)

    def _save_sometimes(self) -> None:
        self._finished += 1
        if self._checkpoints is not None and self._finished % self._checkpoints.every == 0:
            self._save()

    def _save(self) -> None:
        if self._checkpoints is None:
            return
        try:
            self.job.save(self._checkpoints.path)
        except Exception as error:  # a job that cannot be saved as promised does not go on
            self._fail_job(error, Failure(error).info())

    def _change(self, status: RunStatus) -> None:
        self.job.status = status
        self.job.updated_at = now()


def _pending(activation: Activation) -> PendingActivation:
    return PendingActivation.model_construct(
        routine_id=activation.routine_id,
        slot=activation.slot,
        data=activation.data,
        attempt=activation.attempt,
        problem=None if activation.problem is None else Failure(activation.problem).info(),
    )


def _number(activation: Activation) -> int:
    return activation.number
