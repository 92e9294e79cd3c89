"""Routine graphs: the public face."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, get_args

from ..concurrency.event_loops import running_loop
from ..errors import GraphError
from ..model.config import FlowConfig, default_config
from .execution.job_run import JobRun
from .execution.running_jobs import RunningJobs
from .execution.waiting import awaited, waited
from .job.options import ExecutionStrategy, TaskPriority
from .job.state import JobState, PendingActivation
from .spec.spec import GraphSpec, rebuilt, spec_of_graph
from .structure.graph_port import Checkpoints, checked_count, checked_timeout, checkpoints
from .structure.wiring import Wiring

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
        max_history: How many of the newest records the history of a job keeps; None keeps all.

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
        max_history: int | None = None,
    ) -> None:
        super().__init__(flow_id)
        self.flow_config: FlowConfig = flow_config or default_config()
        self.execution_timeout: float | None = checked_timeout(execution_timeout)
        self.max_history: int | None = (
            None if max_history is None else checked_count(max_history, "max_history", least=0)
        )
        self._jobs = RunningJobs(self)
        self.set_execution_strategy(execution_strategy, max_workers)

    def set_execution_strategy(self, strategy: ExecutionStrategy, max_workers: int | None = None) -> None:
        """Choose how the jobs to come run.

        Raises:
            GraphError: There is no such strategy, or `max_workers` is below 1.
        """
        checked = _checked_strategy(strategy)
        if max_workers is not None:
            self.max_workers: int = checked_count(max_workers, "max_workers")
            self._jobs.set_width(max_workers)
        self.execution_strategy: Literal["sequential", "concurrent"] = checked

    def start(
        self,
        entry_id: str,
        entry_params: Mapping[str, Any] | None = None,
        execution_strategy: ExecutionStrategy | None = None,
        timeout: float | None = None,
        priority: TaskPriority = TaskPriority.NORMAL,
        *,
        save_to: str | Path | None = None,
        save_every: int | None = None,
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
            save_every: After how many activations it is saved each time: all of it, its history too. None saves it after
                each, as far as that takes no more than a tenth of the time.

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
        save_every: int | None = None,
    ) -> JobState:
        """Start a job like `start`, and return it when it has ended, or paused and its running handlers are through.

        An interrupt of the wait cancels the job, or pauses it, if it is saved while it runs.

        Raises:
            GraphError: As `start`; or it is called inside a handler of this graph, which it would wait for.
        """
        self._jobs.refuse_inside("execute()")
        job_run = self._start(
            entry_id,
            entry_params,
            strategy=execution_strategy,
            timeout=timeout,
            priority=priority,
            kept=checkpoints(save_to, save_every),
        )
        return waited(job_run)

    async def execute_async(
        self,
        entry_id: str,
        entry_params: Mapping[str, Any] | None = None,
        execution_strategy: ExecutionStrategy | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - it is the job's
        priority: TaskPriority = TaskPriority.NORMAL,
        *,
        save_to: str | Path | None = None,
        save_every: int | None = None,
    ) -> JobState:
        """Like `execute`, while the event loop goes on; async handlers run in it. To cancel the wait is to interrupt it.

        Raises:
            GraphError: As `start`.
        """
        self._jobs.refuse_inside("execute_async()")
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
    ) -> JobRun:
        entry = self.routine(entry_id)
        if "trigger" not in entry.slots:
            raise GraphError(
                f"routine {entry_id!r} cannot be the entry of a job: it has no slot 'trigger'. Give it one: a method `trigger` with @slot."
            )
        self.receiver(entry_id, "trigger")
        job = JobState(
            flow_id=self.flow_id,
            execution_strategy=_checked_strategy(strategy or self.execution_strategy),
            priority=_checked_priority(priority),
            pending_activations=[_message(entry_id, entry_params)],
            remaining_time=checked_timeout(self.execution_timeout if timeout is None else timeout),
        )
        return self._jobs.run(job, kept, loop)

    def pause(self, job: JobState, reason: str = "", checkpoint: Any = None) -> None:
        """Keep what waits in the job, at once; running handlers go on to their end. A job that does not run stays as it is.

        Raises:
            GraphError: It is the job of another graph.
        """
        self._jobs.pause(job, reason, checkpoint)

    def cancel(self, job: JobState, reason: str = "") -> None:
        """End a job at once; sync handlers go on to their end, async ones are cancelled. An ended job stays as it is.

        Raises:
            GraphError: It is the job of another graph.
        """
        self._jobs.cancel(job, reason)

    def resume(self, job: JobState, *, save_to: str | Path | None = None, save_every: int | None = None) -> JobState:
        """Go on with a job that has paused, here or elsewhere, and return it like `execute`.

        Each kept activation is processed once, and nothing is run again that was finished; then deferred events are
        emitted.

        Raises:
            GraphError: It is the job of another graph, runs or has ended, or has work for what this graph lacks.
        """
        self._jobs.refuse_inside("resume()")
        job_run = self._jobs.pausing(job)
        if job_run is not None:
            job_run.wait(None)
        return waited(self._resume(job, save_to, save_every))

    async def resume_async(
        self, job: JobState, *, save_to: str | Path | None = None, save_every: int | None = None
    ) -> JobState:
        """Like `resume`, while the event loop goes on; async handlers run in it.

        Raises:
            GraphError: As `resume`.
        """
        self._jobs.refuse_inside("resume_async()")
        job_run = self._jobs.pausing(job)
        if job_run is not None:
            await job_run.settled.wait()
        return await awaited(self._resume(job, save_to, save_every, running_loop()))

    def _resume(self, job: JobState, save_to: str | Path | None, save_every: int | None, loop: object = None) -> JobRun:
        self.check_work(job)
        return self._jobs.run(job, checkpoints(save_to, save_every), loop)

    def wait_for_completion(self, job: JobState, timeout: float | None = None) -> bool:
        """Wait until a job has ended, or paused and its running handlers are through.

        Args:
            job: The job.
            timeout: Seconds to wait; None waits as long as it takes.

        Returns:
            Whether it has; the job goes on anyway.

        Raises:
            GraphError: It is the job of another graph; or it is called without a timeout inside a handler of this one, or
                in the event loop in which its handlers run.
        """
        job_run = self._jobs.live(job)
        if job_run is not None and timeout is None:
            self._jobs.refuse_inside("wait_for_completion() without a timeout")
        return job_run is None or job_run.wait(timeout)

    def shutdown(self, wait: bool = True, timeout: float | None = None) -> None:
        """Take no more jobs, and end those that run.

        Args:
            wait: Whether they may go on to their end; otherwise they are cancelled at once, or paused, if they are saved
                while they run.
            timeout: Seconds to wait before that; None waits as long as it takes.

        Raises:
            GraphError: It would wait inside a handler of this graph, or in the event loop of one; nothing has happened then.
        """
        if wait:
            self._jobs.refuse_inside("shutdown(wait=True)")
        self._jobs.shut_down(timeout, wait=wait)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown(wait=error is None)

    def __repr__(self) -> str:
        counts = f"{len(self.routines)} routines, {len(self.connections)} connections"
        return f"<{type(self).__name__} {self.flow_id!r}: {counts}>"

    def get_routine_retry_count(self, routine_id: str) -> int | None:
        """How many extra attempts a routine has had in the latest job; None without an error handler of its own.

        Raises:
            GraphError: There is no such routine.
        """
        if self.routine(routine_id).error_handler is None:
            return None
        latest = self._jobs.latest
        state = None if latest is None else latest.routine_states.get(routine_id)
        return 0 if state is None else state.retry_count

    def serialize(self) -> GraphSpec:
        """The structure and config, without anything of a job. Each routine is made of its spec once, to see that it fits.

        Raises:
            GraphError: A handler, merge function or class cannot be found again by its name.
        """
        return spec_of_graph(self)

    @classmethod
    def deserialize(
        cls, spec: GraphSpec | Mapping[str, Any] | str | bytes, *, modules: Iterable[str] | None = None
    ) -> Self:
        """The graph that was serialised, from its spec or that as a mapping or JSON.

        Args:
            spec: The spec. What it names is imported, and called by the jobs of the graph.
            modules: The packages that its classes and functions may come from, besides the stock routines and the
                exceptions of the standard library; None stands for those that are imported already and are not the
                standard library. Nothing is imported before that is checked.

        Raises:
            GraphError: Something in it is unknown, missing, of another version, or of a package that is not allowed.
        """
        return rebuilt(spec, cls, modules)


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


def _message(entry_id: str, params: Mapping[str, Any] | None) -> PendingActivation:
    if params is not None and not isinstance(params, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] # for those who do not check types
        raise GraphError(f"entry_params is {params!r}, wanted a mapping of names to values.")
    return PendingActivation.model_construct(routine_id=entry_id, slot="trigger", data=dict(params or {}))
