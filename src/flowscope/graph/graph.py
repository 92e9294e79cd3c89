"""Routine graphs: the public face."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, get_args

from .._clock import new_token, now, seconds, tick
from ..engine.loops import new_waiter, running_loop, waker
from ..errors import GraphError
from ..executors.pool import Pool
from ..model.config import FlowConfig
from ..model.status import RunStatus
from .activation import Activation, running_activation
from .binding import Receiver
from .kinds import ErrorHandler, ExecutionStrategy, TaskPriority
from .lanes import new_lane
from .mermaid import mermaid_of
from .ports import Connection, Route
from .problems import GraphProblem, problems_of
from .routine import Routine
from .spec import GraphSpec, rebuilt, spec_of_graph
from .state import JobState, PendingActivation
from .stretch import FINAL, Checkpoints, Stretch

__all__ = ["RoutineGraph"]

_STRATEGIES: Final = get_args(ExecutionStrategy)


class RoutineGraph:
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
        self.flow_id = flow_id or f"graph-{new_token()}"
        self.flow_config = flow_config or FlowConfig.default()
        self.error_handler: ErrorHandler | None = None
        """What is done when a handler raises whose routine does not say."""
        self.execution_timeout = execution_timeout
        self._routines: dict[str, Routine] = {}
        self._receivers: dict[tuple[str, str], Receiver] = {}
        self._connections: list[Connection] = []
        self._from: dict[tuple[str, str], list[Route]] = {}
        self._lock = threading.RLock()
        self._stretches: dict[int, Stretch] = {}
        """What runs, by the identity of the job."""
        self._latest: JobState | None = None
        self._open = True
        self._single = new_lane(1)
        self.set_execution_strategy(execution_strategy, max_workers)

    @property
    def routines(self) -> Mapping[str, Routine]:
        """By id."""
        return dict(self._routines)

    @property
    def connections(self) -> Sequence[Connection]:
        """In the order in which they were made."""
        return tuple(self._connections)

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

    def set_error_handler(self, handler: ErrorHandler | None) -> None:
        """Say what is done when a handler raises whose routine does not say."""
        self.error_handler = handler

    def add_routine(self, routine: Routine, routine_id: str | None = None) -> str:
        """Add a routine, and return its id; its class name, with a number if that is taken, if None is given.

        Raises:
            GraphError: The id is taken, or a handler cannot be called.
        """
        with self._lock:
            made = self._free_id(type(routine).__name__) if routine_id is None else routine_id
            if made in self._routines:
                raise GraphError(f"routine id {made!r} already exists in graph {self.flow_id!r}. Choose another one.")
            receivers = {
                (made, slot.name): Receiver(slot.handler, f"{made}.{slot.name}")
                for slot in routine.slots.values()
                if slot.handler is not None
            }
            self._routines[made] = routine
            self._receivers.update(receivers)
            return made

    def _free_id(self, name: str) -> str:
        numbered = (name if number == 1 else f"{name}-{number}" for number in range(1, len(self._routines) + 2))
        return next(one for one in numbered if one not in self._routines)

    def connect(
        self,
        source_id: str,
        source_event: str,
        target_id: str,
        target_slot: str,
        param_mapping: Mapping[str, str] | None = None,
    ) -> Connection:
        """Send the messages of an event to a slot.

        Args:
            source_id: The routine that emits.
            source_event: Its event.
            target_id: The routine that receives; it may be the same.
            target_slot: Its slot.
            param_mapping: Names of the message to names in the slot, changed all at once; other keys pass.

        Raises:
            GraphError: One of them does not exist.
        """
        with self._lock:
            source, target = self.routine(source_id), self.routine(target_id)
            _need(source_event, source.events, f"routine {source_id!r} has no event")
            _need(target_slot, target.slots, f"routine {target_id!r} has no slot")
            made = Connection(source_id, source_event, target_id, target_slot, dict(param_mapping or {}))
            self._connections.append(made)
            route = Route(made, target, target.slots[target_slot].merge_strategy)
            self._from.setdefault((source_id, source_event), []).append(route)
            return made

    def routine(self, routine_id: str) -> Routine:
        """The routine of an id.

        Raises:
            GraphError: There is none.
        """
        _need(routine_id, self._routines, f"graph {self.flow_id!r} has no routine")
        return self._routines[routine_id]

    def receiver(self, routine_id: str, slot: str) -> Receiver | None:
        """What receives the messages of a slot; None for one without a handler."""
        key = (routine_id, slot)
        if key not in self._receivers:  # a slot that was defined after its routine was added
            handler = self.routine(routine_id).slots[slot].handler
            if handler is None:
                return None
            self._receivers[key] = Receiver(handler, f"{routine_id}.{slot}")
        return self._receivers[key]

    def routes_from(self, routine_id: str, event: str) -> Sequence[Route]:
        """Those of an event, in the order in which they were made."""
        return self._from.get((routine_id, event), ())

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
        return self._start(entry_id, entry_params, execution_strategy, timeout, priority, save_to, save_every).job

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
        stretch = self._start(entry_id, entry_params, execution_strategy, timeout, priority, save_to, save_every)
        return _waited(stretch)

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
        return await _awaited(
            self._start(entry_id, entry_params, execution_strategy, timeout, priority, save_to, save_every, loop)
        )

    def _start(
        self,
        entry_id: str,
        entry_params: Mapping[str, Any] | None,
        strategy: ExecutionStrategy | None,
        timeout: float | None,
        priority: TaskPriority,
        save_to: str | Path | None,
        save_every: int,
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
        stretch = self._stretch(job, limit, _checkpoints(save_to, save_every), loop)
        stretch.begin([message])
        return stretch

    def _stretch(
        self, job: JobState, timeout: float | None, checkpoints: Checkpoints | None, loop: object = None
    ) -> Stretch:
        if timeout is not None and not timeout >= 0:
            raise GraphError(f"timeout is {timeout!r}, wanted seconds, or None for no limit.")
        lane: Pool[Activation] = self._single if job.execution_strategy == "sequential" else self._wide
        with self._lock:
            if not self._open:
                raise GraphError(f"graph {self.flow_id!r} has been shut down. Make a new one.")
            stretch = Stretch(self, job, lane, loop=loop, timeout=timeout, checkpoints=checkpoints)
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
        return _waited(self._resume(job, save_to, save_every))

    async def resume_async(self, job: JobState, *, save_to: str | Path | None = None, save_every: int = 1) -> JobState:
        """Like `resume`, while the event loop goes on; async handlers run in it.

        Raises:
            GraphError: As `resume`.
        """
        self._refuse_in_handler("resume_async()")
        stretch = self._pausing(job)
        if stretch is not None:
            await _settled(stretch)
        return await _awaited(self._resume(job, save_to, save_every, running_loop()))

    def _pausing(self, job: JobState) -> Stretch | None:
        """What has paused a job, whose running handlers are not through yet."""
        stretch = self._live(job)
        return stretch if job.status is RunStatus.PAUSED else None

    def _resume(self, job: JobState, save_to: str | Path | None, save_every: int, loop: object = None) -> Stretch:
        with job._lock:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
            if self._live(job) is not None or job.status in FINAL:
                raise GraphError(f"job {job.job_id!r} is {job.status}; only a paused job can be resumed.")
            self._check_kept(job)
            stretch = self._stretch(job, job.remaining_time, _checkpoints(save_to, save_every), loop)
            pending, deferred = job.pending_activations, job.deferred_events
            job.pending_activations, job.deferred_events = [], []
            stretch.begin(pending, deferred)
            return stretch

    def _check_kept(self, job: JobState) -> None:
        for activation in job.pending_activations:
            slots = self.routine(activation.routine_id).slots
            _need(activation.slot, slots, f"the job has work for routine {activation.routine_id!r}, which has no slot")
        for event in job.deferred_events:
            events = self.routine(event.routine_id).events
            _need(event.event_name, events, f"the job has an event of routine {event.routine_id!r}, which has no event")

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

    def settled(self, stretch: Stretch) -> None:
        """Let go of a job that has ended or paused."""
        with self._lock:
            self._stretches.pop(id(stretch.job), None)

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

    def find_routines_by_type(self, cls: type[Routine]) -> list[tuple[str, Routine]]:
        """The routines of a class and its subclasses, with their ids."""
        return [(name, routine) for name, routine in self._routines.items() if isinstance(routine, cls)]

    def get_routine_retry_count(self, routine_id: str) -> int | None:
        """How many extra attempts a routine has had in the latest job; None without an error handler of its own.

        Raises:
            GraphError: There is no such routine.
        """
        if self.routine(routine_id).error_handler is None:
            return None
        state = None if self._latest is None else self._latest.routine_states.get(routine_id)
        return 0 if state is None else state.retry_count

    def dependencies(self) -> Mapping[str, frozenset[str]]:
        """For each routine, those that it receives messages from, itself apart."""
        sources: dict[str, set[str]] = {name: set() for name in self._routines}
        for one in self._connections:
            if one.source_id != one.target_id:
                sources[one.target_id].add(one.source_id)
        return {name: frozenset(found) for name, found in sources.items()}

    def validate_graph(self) -> list[GraphProblem]:
        """What looks wrong in the wiring, or worth knowing; an empty list if nothing does."""
        return problems_of(self)

    def to_mermaid(self, job: JobState | None = None) -> str:
        """The graph as a Mermaid flowchart; with the states of its routines, if a job is given."""
        return mermaid_of(self, job)

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


def _waited(stretch: Stretch) -> JobState:
    try:
        stretch.wait(None)
    except BaseException:
        stretch.cancel("the wait was interrupted")
        raise
    return stretch.job


async def _awaited(stretch: Stretch) -> JobState:
    try:
        await _settled(stretch)
    except BaseException:
        stretch.cancel("the wait was cancelled")
        raise
    return stretch.job


async def _settled(stretch: Stretch) -> None:
    waiter = new_waiter()
    stretch.when_settled(waker(waiter))
    await waiter


def _need(name: str, known: Mapping[str, object], what: str) -> None:
    if name not in known:
        names = ", ".join(map(repr, known)) or "none"
        raise GraphError(f"{what} {name!r}; there is: {names}.")


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


def _checkpoints(save_to: str | Path | None, save_every: int) -> Checkpoints | None:
    if save_every < 1:
        raise GraphError(f"save_every is {save_every!r}, wanted a number of activations of at least 1.")
    return None if save_to is None else Checkpoints(Path(save_to), save_every)
