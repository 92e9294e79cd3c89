"""Routine graphs: the public face, and the workers that run jobs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, get_args

from .._clock import now, seconds, tick
from ..engine.loops import running_loop
from ..errors import GraphError
from ..executors.pool import Pool
from ..model.config import FlowConfig
from ..model.status import RunStatus
from .activation import Activation, running_activation
from .host import FINAL, Checkpoints, checkpoints
from .kinds import ExecutionStrategy, TaskPriority
from .lanes import new_lane
from .spec import GraphSpec, rebuilt, spec_of_graph
from .state import JobState, PendingActivation
from .stretch import Stretch
from .waiting import awaited, settled, waited
from .wiring import Wiring, need

__all__ = ["RoutineGraph"]

_STRATEGIES: Final = get_args(ExecutionStrategy)


class RoutineGraph(Wiring):
    """Routines, wired by connections, and the workers that run jobs on them. May be used from any thread.

    Args:
        flow_id: The id by which jobs know their graph; None makes a new one.
        execution_strategy: "sequential" runs one activation at a time over all jobs, "concurrent" up to `max_workers`.
        max_workers: The width of concurrent execution.
        execution_timeout: Seconds that a job may take, if `execute` does not say otherwise; None is no limit.
        flow_config: How the runs of jobs are recorded.

    Raises:
        GraphError: There is no such strategy, or a number is below what makes sense.
    """

    def __init__(
        self,
        flow_id: str | None = None,
        execution_strategy: ExecutionStrategy = "sequential",
        max_workers: int = 5,
        execution_timeout: float | None = None,
        *,
        flow_config: FlowConfig | None = None,
    ) -> None:
        super().__init__(flow_id)
        self.flow_config = flow_config or FlowConfig.default()
        self.execution_timeout = execution_timeout
        self._stretches: dict[int, Stretch] = {}
        """What runs, by the identity of the job."""
        self._latest: JobState | None = None
        self._open = True
        self._single = new_lane(1)
        self.set_execution_strategy(execution_strategy, max_workers)

    def set_execution_strategy(self, strategy: ExecutionStrategy, max_workers: int | None = None) -> None:
        """Choose how the jobs to come run.

        Raises:
            GraphError: There is no such strategy, or `max_workers` is below 1.
        """
        checked = _checked_strategy(strategy)
        if max_workers is not None:
            if max_workers < 1:
                raise GraphError(f"max_workers is {max_workers!r}, wanted at least 1.")
            self._wide = new_lane(max_workers)
            self.max_workers = max_workers
        self.execution_strategy: ExecutionStrategy = checked

    def start(
        self,
        entry_id: str,
        entry_params: Mapping[str, Any] | None = None,
        execution_strategy: ExecutionStrategy | None = None,
        timeout: float | None = None,
        priority: TaskPriority = TaskPriority.NORMAL,
        *,
        save_to: str | Path | None = None,
        save_every: int = 1,
    ) -> JobState:
        """Start a job with a message for the `trigger` slot of a routine, and return at once.

        Args:
            entry_id: The routine.
            entry_params: The message.
            execution_strategy: How this job runs; None takes the graph's strategy.
            timeout: Seconds that the job may take; None takes the graph's `execution_timeout`.
            priority: Which jobs' activations go first.
            save_to: The file that the job is saved to while it runs. What a handler emits is sent when it is through
                then, so that what the file tells as finished is not run again from it.
            save_every: After how many activations it is saved each time.

        Raises:
            GraphError: There is no such routine, it has no `trigger`, or an option makes no sense.
        """
        return self._start(
            entry_id,
            entry_params,
            strategy=execution_strategy,
            timeout=timeout,
            priority=priority,
            kept=checkpoints(save_to, save_every),
        ).job

    def execute(
        self,
        entry_id: str,
        entry_params: Mapping[str, Any] | None = None,
        execution_strategy: ExecutionStrategy | None = None,
        timeout: float | None = None,
        priority: TaskPriority = TaskPriority.NORMAL,
        *,
        save_to: str | Path | None = None,
        save_every: int = 1,
    ) -> JobState:
        """Start a job like `start`, and return it when it has ended, or paused and its running handlers are through.

        Raises:
            GraphError: As `start`; or it is called inside a handler of this graph, which it would wait for.
        """
        self._refuse_in_handler("execute()")
        stretch = self._start(
            entry_id,
            entry_params,
            strategy=execution_strategy,
            timeout=timeout,
            priority=priority,
            kept=checkpoints(save_to, save_every),
        )
        return waited(stretch)

    async def execute_async(
        self,
        entry_id: str,
        entry_params: Mapping[str, Any] | None = None,
        execution_strategy: ExecutionStrategy | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - it is the job's
        priority: TaskPriority = TaskPriority.NORMAL,
        *,
        save_to: str | Path | None = None,
        save_every: int = 1,
    ) -> JobState:
        """Like `execute`, while the event loop goes on; async handlers run in it. Cancelling the wait cancels the job.

        Raises:
            GraphError: As `start`.
        """
        self._refuse_in_handler("execute_async()")
        loop = running_loop()
        return await awaited(
            self._start(
                entry_id,
                entry_params,
                strategy=execution_strategy,
                timeout=timeout,
                priority=priority,
                kept=checkpoints(save_to, save_every),
                loop=loop,
            )
        )

    def _start(
        self,
        entry_id: str,
        entry_params: Mapping[str, Any] | None,
        *,
        strategy: ExecutionStrategy | None,
        timeout: float | None,
        priority: TaskPriority,
        kept: Checkpoints | None,
        loop: object = None,
    ) -> Stretch:
        entry = self.routine(entry_id)
        if "trigger" not in entry.slots:
            raise GraphError(f"routine {entry_id!r} cannot be the entry of a job: it has no slot 'trigger'.")
        job = JobState(
            flow_id=self.flow_id,
            execution_strategy=_checked_strategy(strategy or self.execution_strategy),
            priority=_checked_priority(priority),
        )
        message = PendingActivation(routine_id=entry_id, slot="trigger", data=dict(entry_params or {}))
        limit = self.execution_timeout if timeout is None else timeout
        stretch = self._stretch(job, limit, kept, loop)
        stretch.begin([message])
        return stretch

    def _stretch(self, job: JobState, timeout: float | None, kept: Checkpoints | None, loop: object = None) -> Stretch:
        if timeout is not None and not timeout >= 0:
            raise GraphError(f"timeout is {timeout!r}, wanted seconds, or None for no limit.")
        lane: Pool[Activation] = self._single if job.execution_strategy == "sequential" else self._wide
        with self._lock:
            if not self._open:
                raise GraphError(f"graph {self.flow_id!r} has been shut down. Make a new one.")
            stretch = Stretch(self, job, lane, loop=loop, timeout=timeout, checkpoints=kept)
            self._stretches[id(job)] = stretch
            self._latest = job
            return stretch

    def pause(self, job: JobState, reason: str = "", checkpoint: Any = None) -> None:
        """Keep what waits in the job, at once; running handlers go on to their end. A job that does not run stays as it is.

        Raises:
            GraphError: It is the job of another graph.
        """
        stretch = self._live(job)
        if stretch is not None:
            stretch.pause(reason, checkpoint)

    def cancel(self, job: JobState, reason: str = "") -> None:
        """End a job at once; sync handlers go on to their end, async ones are cancelled. An ended job stays as it is.

        Raises:
            GraphError: It is the job of another graph.
        """
        stretch = self._live(job)
        while job.status not in FINAL:
            if stretch is not None:
                stretch.cancel(reason)
            with job._lock:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
                stretch = self._live(job)  # it may have paused meanwhile, and may have been resumed
                if stretch is None and job.status not in FINAL:
                    job.status, job.updated_at = RunStatus.CANCELLED, now()

    def resume(self, job: JobState, *, save_to: str | Path | None = None, save_every: int = 1) -> JobState:
        """Go on with a job that has paused, here or elsewhere, and return it like `execute`.

        Each kept activation is processed once, and nothing is run again that was finished; then deferred events are
        emitted.

        Raises:
            GraphError: It is the job of another graph, runs or has ended, or has work for what this graph lacks.
        """
        self._refuse_in_handler("resume()")
        stretch = self._pausing(job)
        if stretch is not None:
            stretch.wait(None)
        return waited(self._resume(job, save_to, save_every))

    async def resume_async(self, job: JobState, *, save_to: str | Path | None = None, save_every: int = 1) -> JobState:
        """Like `resume`, while the event loop goes on; async handlers run in it.

        Raises:
            GraphError: As `resume`.
        """
        self._refuse_in_handler("resume_async()")
        stretch = self._pausing(job)
        if stretch is not None:
            await settled(stretch)
        return await awaited(self._resume(job, save_to, save_every, running_loop()))

    def _pausing(self, job: JobState) -> Stretch | None:
        """What has paused a job, whose running handlers are not through yet."""
        stretch = self._live(job)
        return stretch if job.status is RunStatus.PAUSED else None

    def _resume(self, job: JobState, save_to: str | Path | None, save_every: int, loop: object = None) -> Stretch:
        with job._lock:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
            if self._live(job) is not None or job.status in FINAL:
                raise GraphError(f"job {job.job_id!r} is {job.status}; only a paused job can be resumed.")
            self._check_kept(job)
            stretch = self._stretch(job, job.remaining_time, checkpoints(save_to, save_every), loop)
            pending, deferred = job.pending_activations, job.deferred_events
            job.pending_activations, job.deferred_events = [], []
            stretch.begin(pending, deferred)
            return stretch

    def _check_kept(self, job: JobState) -> None:
        for activation in job.pending_activations:
            slots = self.routine(activation.routine_id).slots
            need(activation.slot, slots, f"the job has work for routine {activation.routine_id!r}, which has no slot")
        for event in job.deferred_events:
            events = self.routine(event.routine_id).events
            need(event.event_name, events, f"the job has an event of routine {event.routine_id!r}, which has no event")

    def wait_for_completion(self, job: JobState, timeout: float | None = None) -> bool:
        """Wait until a job has ended, or paused and its running handlers are through.

        Args:
            job: The job.
            timeout: Seconds to wait; None waits as long as it takes.

        Returns:
            Whether it has; the job goes on anyway.

        Raises:
            GraphError: It is the job of another graph; or it is called without a timeout inside a handler of this one.
        """
        stretch = self._live(job)
        if stretch is not None and timeout is None:
            self._refuse_in_handler("wait_for_completion() without a timeout")
        return stretch is None or stretch.wait(timeout)

    def _live(self, job: JobState) -> Stretch | None:
        """What runs a job, if it runs.

        Raises:
            GraphError: It is the job of another graph.
        """
        if job.flow_id != self.flow_id:
            raise GraphError(f"job {job.job_id!r} belongs to graph {job.flow_id!r}, not to {self.flow_id!r}.")
        with self._lock:
            return self._stretches.get(id(job))

    def settled(self, job: JobState) -> None:
        """Let go of a job that has ended or paused."""
        with self._lock:
            self._stretches.pop(id(job), None)

    def _refuse_in_handler(self, what: str) -> None:
        activation = running_activation.get()
        if activation is not None and activation.job.flow_id == self.flow_id and not activation.done:
            raise GraphError(f"{what} inside a handler of the same graph would wait for itself. Use start().")

    def shutdown(self, wait: bool = True, timeout: float | None = None) -> None:
        """Take no more jobs, and end those that run.

        Args:
            wait: Whether they may go on to their end; otherwise they are cancelled at once.
            timeout: Seconds to wait before they are cancelled; None waits as long as it takes.

        Raises:
            GraphError: It would wait inside a handler of this graph.
        """
        if wait:
            self._refuse_in_handler("shutdown(wait=True)")
        with self._lock:
            self._open = False
            stretches = list(self._stretches.values())
        began = tick()
        for stretch in stretches:
            left = None if timeout is None else max(0.0, timeout - seconds(began, tick()))
            if not (wait and stretch.wait(left)):
                stretch.cancel("the graph was shut down")
        self._single.close(wait=False)
        self._wide.close(wait=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown(wait=error is None)

    def get_routine_retry_count(self, routine_id: str) -> int | None:
        """How many extra attempts a routine has had in the latest job; None without an error handler of its own.

        Raises:
            GraphError: There is no such routine.
        """
        if self.routine(routine_id).error_handler is None:
            return None
        state = None if self._latest is None else self._latest.routine_states.get(routine_id)
        return 0 if state is None else state.retry_count

    def serialize(self) -> GraphSpec:
        """The structure and config, without anything of a job.

        Raises:
            GraphError: A handler, merge function or class cannot be found again by its name.
        """
        return spec_of_graph(self)

    @classmethod
    def deserialize(cls, spec: GraphSpec | Mapping[str, Any] | str | bytes) -> Self:
        """The graph that was serialised, from its spec or that as a mapping or JSON.

        Raises:
            GraphError: Something in it is unknown, missing or of another version.
        """
        return rebuilt(cls, spec)


def _checked_strategy(strategy: ExecutionStrategy) -> ExecutionStrategy:
    if strategy not in _STRATEGIES:
        wanted = " or ".join(map(repr, _STRATEGIES))
        raise GraphError(f"execution strategy is {strategy!r}, wanted {wanted}.")
    return strategy


def _checked_priority(priority: int) -> TaskPriority:
    try:
        return TaskPriority(priority)
    except ValueError as error:
        raise GraphError(f"priority is {priority!r}, wanted a TaskPriority.") from error
