"""What a job does with its activations: calls their handlers, decides what follows, and sends what they emit."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Final

from ..._clock import tick
from ...concurrency.background_loop import background_loop
from ...concurrency.event_loops import is_cancelled_error
from ...concurrency.lock_convoy import acquire_in_turn
from ...concurrency.timer import TimeLimit
from ...model.status import RunStatus
from ...serialization.error_info import ErrorInfo
from ..job.activation import Activation, Carrier, Stage, enclosing_activations, returned_handler
from ..job.error_policy import FailureDecision, failure_decision, handler_of
from ..job.job_log import JobLog, Outcome
from ..job.state import JobState, RoutineStatus
from ..routines.routine import Routine
from ..structure.graph_port import Checkpoints, GraphPort
from .checkpoints import Checkpointer, pending_of
from .delivery import Delivery
from .handler_call import call_handler
from .job_flow import JobFlow
from .partial_groups import PartialGroups
from .queued_work import Work
from .status_changes import change_status, own_job_log
from .worker_threads import WorkerThreads

__all__ = ["ActivationHandling"]

_RUNNING: Final = RunStatus.RUNNING
_PAUSED: Final = RunStatus.PAUSED
_STAGE_WAITING: Final = Stage.WAITING
_STAGE_RUNNING: Final = Stage.RUNNING
_STAGE_DONE: Final = Stage.DONE
_STATUS_AFTER: Final[dict[FailureDecision, RoutineStatus]] = {
    FailureDecision.RETRY: "running",
    FailureDecision.FAIL_JOB: "failed",
    FailureDecision.CONTINUE: "error_continued",
    FailureDecision.SKIP: "skipped",
}
_logger: Final = logging.getLogger("flowscope")


class ActivationHandling(ABC):
    """The side of a job_run that its handlers see. It decides under the job's lock, and calls handlers outside it."""

    _partial_groups: PartialGroups
    _delivery: Delivery

    def __init__(
        self,
        graph_port: GraphPort,
        job: JobState,
        workers: WorkerThreads,
        loop: object,
        checkpoints: Checkpoints | None,
    ) -> None:
        self.job = job
        self._graph_port = graph_port
        self._loop = loop or background_loop()
        """Where async handlers run."""
        self._keeps = checkpoints is not None
        self._lock = job._lock  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
        self._time = TimeLimit(None)
        self._error: BaseException | None = None
        self._job_flow = JobFlow(graph_port.flow_id, graph_port.flow_config)
        self._keeper = Checkpointer(job, self._job_flow, checkpoints)
        self.carrier: Carrier = Carrier(self, self._job_flow.handle, next(enclosing_activations(), None))
        """What its activations share."""
        self._work = Work(workers, job.priority)
        self._context = copy_context()

    def _prepare(self) -> JobLog:
        """Note what happens in the job_log of the job, which is this job_run's now."""
        self._job_log = job_log = own_job_log(self.job)
        job_log.mask_by(self._graph_port.flow_config.redact)
        job_log.limit = self._graph_port.max_history
        self._entries = job_log.entries
        return job_log

    def _deliver_by(self, job_log: JobLog) -> None:
        self._partial_groups = PartialGroups(self._graph_port, job_log.merges)
        self._delivery = Delivery(self.carrier, self._work, job_log)

    @abstractmethod
    def _closes(self) -> bool:
        """Whether the job_run is over now; true once."""

    @abstractmethod
    def _settle(self) -> None:
        """End it."""

    @abstractmethod
    def _time_out(self) -> None:
        """End the job, which has had its time."""

    def emit(self, activation: Activation, event_name: str, data: dict[str, Any]) -> None:
        """Send what a handler emits: now, or, if the job is saved while it runs, when the handler is through.

        Raises:
            GraphError: The handler is through.
        """
        target = activation.target
        with self._lock:
            if activation.stage is not _STAGE_RUNNING:
                raise returned_handler(activation, event_name)
            if self._keeps:
                activation.own_extras().emitted.append((event_name, data))
            else:
                self._delivery.send(target.routine_id, target.routes, event_name, data)

    def perform(  # noqa: PLR0912 - for each activation, a call of a part costs more than the part
        self, activation: Activation, pop: Callable[[], Activation | None]
    ) -> Activation | None:
        """Call the handler, and decide what follows; then go on with what is popped, as long as that is of the same job.

        The end of one and the start of the next are noted under one lock, which makes up much of what they cost.
        """
        lock, carrier, job_log, unfinished = self._lock, self.carrier, self._job_log, self._work.unfinished
        entries, context, loop, keeps, timed = job_log.entries, self._context, self._loop, self._keeps, self._time.limit
        fields = vars(self.job)  # the attributes of a model are found slowly
        upcoming: Activation | None = activation
        closes = False
        if not lock.acquire(False):
            acquire_in_turn(lock)
        try:
            while upcoming is not None and upcoming.carrier is carrier:
                activation = upcoming
                if timed is not None and self._time.is_over:
                    self._time_out()
                if activation.stage is _STAGE_WAITING:  # else paused, cancelled or failed meanwhile
                    activation.stage = _STAGE_RUNNING
                    routine_id = activation.target.routine_id
                    began = tick()
                    entries += routine_id, "start", activation.data, began, "running", 0
                    error: BaseException | None = None
                    lock.release()
                    try:
                        context.copy().run(call_handler, activation, loop)
                    except BaseException as raised:
                        error = raised
                    finally:
                        if not lock.acquire(False):
                            acquire_in_turn(lock)
                    if error is None and activation.extras is None and fields["status"] is _RUNNING and not keeps:
                        entries += routine_id, "completed", None, tick(), "completed", began
                        activation.stage = _STAGE_DONE
                        del unfinished[activation.number]
                    else:
                        self._performed(activation, error, began)
                        del error
                    if job_log.limit is not None:
                        job_log.fit()
                    if (not unfinished or fields["status"] is not _RUNNING) and self._closes():
                        closes = True
                        return None
                upcoming = pop()
        finally:
            lock.release()
            if closes:
                self._settle()
        return upcoming

    def _performed(self, activation: Activation, error: BaseException | None, began: int) -> None:
        """Decide what follows an activation that has not simply completed, or whose job is paused, over or saved."""
        status = self.job.status
        decides = status is _RUNNING or status is _PAUSED
        if decides:
            try:
                self._decide(activation, error, began)
            except BaseException as problem:  # such as no memory for what follows
                self._fail_job(problem, self._job_log.error_info(problem))
        self._work.finish(activation)
        if decides and self._keeps:
            self._check_saved(self._keeper.finished_one())

    def _decide(self, activation: Activation, error: BaseException | None, began: int) -> None:
        ended = tick()
        if error is None:
            target, extras = activation.target, activation.extras
            self._entries += target.routine_id, "completed", None, ended, "completed", began
            if extras is not None:
                self._delivery.send_all(target.routine_id, target.routes, extras.emitted)
        elif self.job.status is _PAUSED and is_cancelled_error(error):
            self._delivery.post(activation)  # the event loop of its handler went away, and it runs again elsewhere
        else:
            self._fail(activation, error, began, ended)

    def _fail(self, activation: Activation, error: BaseException, began: int, ended: int) -> None:
        target, attempt = activation.target, activation.attempt
        routine: Routine = target.routine
        handler = handler_of(routine.error_handler, self._graph_port.error_handler)
        decision = failure_decision(error, attempt, handler, optional=routine.is_optional)
        info = self._job_log.error_info(error)
        outcome = Outcome(_STATUS_AFTER[decision], info, int(decision is FailureDecision.RETRY))
        self._entries += target.routine_id, decision.value, {"error": info.model_dump()}, ended, outcome, began
        if decision is FailureDecision.RETRY:
            self._retry_later(activation, handler.pause_after(attempt))
        elif decision is FailureDecision.FAIL_JOB:
            self._fail_job(error, info)
        else:
            self._delivery.send_all(target.routine_id, target.routes, activation.own_extras().emitted)

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
            if self._work.pop_retry(activation):
                self._delivery.post(activation)

    def _end(self, status: RunStatus) -> None:
        """Drop what waits; it is listed in the job."""
        kept = [] if self.job.status is _RUNNING else self.job.pending_activations
        self.job.pending_activations = [*kept, *map(pending_of, self._work.take())]
        change_status(self.job, status)

    def _flushes(self) -> bool:
        """Deliver what waits for more, for there is nothing else to do; whether there was any."""
        try:
            due = self._partial_groups.next_ones()
            for target in due:
                data = self._job_log.merges.take_rest(target.routine_id, target.name)
                self._work.post(Activation(self.carrier, target, data))
        except BaseException as error:  # no thread can be started
            self._fail_job(error, self._job_log.error_info(error))
            return False
        return bool(due)

    def _check_saved(self, error: Exception | None) -> None:
        """A job that cannot be saved as promised does not go on; one that has ended or paused stays what it is."""
        if error is None:
            return
        info = self._job_log.error_info(error)
        if self.job.status is RunStatus.RUNNING:
            self._fail_job(error, info)
        else:
            self.job.error = self.job.error or info
            _logger.error("job %s cannot be saved: %s", self.job.job_id, info.message)
