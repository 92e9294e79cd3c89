"""A submitted call: from the queue of its executor to its outcome."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

from ...concurrency.blocking import bind_pool_thread
from ...concurrency.event_loops import (
    cancel_task,
    cancelled_error,
    current_asyncio_task,
    is_cancelled_error,
    run_in_new_loop,
    running_loop,
    spawn,
)
from ...engine.definitions.callables import Kind
from ...engine.definitions.task_definition import TaskDefinition
from ...engine.lifecycle.task_drivers import Attempt, continue_call, submitted_caller, sync_caller
from ...engine.lifecycle.task_lifecycle import RAISE, AttemptDecision, begin, complete, current_call, failed, start
from ...engine.run.child_tasks import ChildTasks
from ...engine.run.run import Run
from ...engine.scope.call import Call
from ...engine.scope.context import enter, no_active_flow
from .executor import Executor
from .state import RUNS, SubmissionState
from .submitted_call import SubmittedCall
from .work_stealing import add_nested, run_nested, run_with_nested

__all__ = ["TaskSubmission"]


class TaskSubmission(SubmittedCall):
    """One submitted call of a task."""

    __slots__ = (
        "_args",
        "_asked",
        "_children",
        "_context",
        "_executor",
        "_interrupt",
        "_kwargs",
        "_resume",
        "_taken",
        "_task",
        "_thread",
        "loop",
    )

    def __init__(
        self,
        definition: TaskDefinition,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        executor: Executor,
        next_executor: Callable[[], Executor] | None = None,
    ) -> None:
        """Record a call that is submitted in the running flow.

        Raises:
            NoActiveFlowError: No flow is running here.
        """
        name = executor.name  # an executor without one fails here, before anything is recorded
        super().__init__(begin(definition, args, kwargs, waits=True), next_executor)
        self.loop: object = None
        """The event loop that it runs in, if others run there too."""
        self._executor = executor
        self._args = args
        self._kwargs = kwargs
        self._context = copy_context()
        self._asked = False
        """Whether its cancellation was asked for."""
        self._taken = False
        """Whether a thread or event loop has begun to run it."""
        self._task: Any = None
        """The asyncio task that it runs in."""
        self._interrupt: Callable[[], object] | None = None
        """Stops it in a worker process; None for a thread, which is abandoned."""
        self._resume: threading.Event | None = None
        """Set to end the pause before a retry."""
        self._thread: threading.Thread | None = None
        run: Run | None = self.call.handle.run
        if run is None:  # it has ended just now
            raise no_active_flow(f"task {definition.name!r}", self.call)
        run.placements[self.call.order] = name
        self._children: ChildTasks = run.ensure_children()
        self._children.add(self)
        if run.cancellation is not None and run.cancellation.includes(self.order):  # it came just now
            self.cancel()

    @property
    def cancelled(self) -> bool:
        """Whether its cancellation was asked for."""
        return self._asked

    def run(self, attempt: Attempt | None = None, interrupt: Callable[[], object] | None = None) -> None:
        """Run it to its end in this thread; never raises.

        Args:
            attempt: Makes the attempts, instead of calling the function here.
            interrupt: Stops a running attempt, from another thread, so that it raises; None leaves the thread behind.
        """
        if not self._try_take():
            return
        try:
            if attempt is None and self.is_async:
                self._context.run(run_in_new_loop, partial(run_with_nested, self._run_async))
            else:
                self._context.run(self._run, attempt, interrupt)
        except BaseException as error:  # of the event loop, or of a listener that was interrupted
            self.refuse(error)
            self._settle(None, error)

    def _run(self, attempt: Attempt | None, interrupt: Callable[[], object] | None) -> None:
        if not self._try_start(interrupt=interrupt):
            return
        caller = sync_caller(
            self.call.definition,
            begin=current_call,
            complete=self._complete,
            failed=self._failed,
            sleep=self._pause,
            attempt=attempt,
            continue_call=self._defer,
        )
        try:
            value = caller(*self._args, **self._kwargs)
            if self._rest is None or self._next_executor is None:
                self._settle(value, None)
            elif self._state in RUNS:
                self._move_on(self._next_executor)
            else:  # it was abandoned
                self._drop_rest()
        except BaseException as error:
            if self._rest is not None and self._try_move(SubmissionState.ENDING):  # there is no event loop for it
                failed(self.call, error)
            self._drop_rest()
            self._settle(None, error)

    def _defer(self, kind: Kind, call: Call, rest: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Keep the coroutine that its function has returned, to go on with it.

        Raises:
            DefinitionError: It is a generator.
        """
        if self._next_executor is None:
            self._complete(call, rest)
            return rest
        call.definition.check_submittable(kind)
        self._rest = continue_call(kind, call, rest, args, kwargs), rest
        return None

    def _move_on(self, next_executor: Callable[[], Executor]) -> None:
        """Go on with that coroutine where an async function runs."""
        self._thread = None  # it has nothing to abandon any more
        self.turn_async()
        self._executor = executor = next_executor()
        run: Run | None = self.call.handle.run
        if run is not None:
            run.placements[self.order] = executor.name
        self._context = copy_context()
        executor.go_on(self)

    def go_on(self) -> None:
        """Run that coroutine to its end, in an event loop of its own in this thread."""
        run_in_new_loop(partial(run_with_nested, self._run_rest))

    async def _run_rest(self) -> None:
        """Run that coroutine to its end in this event loop; never raises."""
        bind_pool_thread()
        with self._lock:
            if self._rest is None:  # it was cancelled on its way
                return
            (rest, _), self._rest = self._rest, None
            self._task = current_asyncio_task()
        try:
            self._settle(await rest, None)
        except BaseException as error:
            self._settle(None, error)

    def run_in(self, loop: object) -> None:
        """Run it as a task of an event loop, and return at once; from any thread."""
        self.loop = loop
        spawn(loop, self._run_in_loop, self._context, self.cancel)

    async def _run_in_loop(self) -> None:
        if self._rest is not None:
            await self._run_rest()
        elif self._try_take():
            await self._run_async()

    async def _run_async(self) -> None:
        """Run it to its end in this event loop; never raises, also if the asyncio task is cancelled."""
        try:
            if not self._try_start(task=current_asyncio_task()):
                return
            self._settle(await submitted_caller(self.call.definition)(*self._args, **self._kwargs), None)
        except BaseException as error:
            self._settle(None, error)

    def refuse(self, error: BaseException) -> None:
        """Let it fail before its start."""
        ours = False
        try:
            with self._lock:
                ours = self._state is SubmissionState.WAITING
                if ours:
                    self._state = SubmissionState.ENDING
            if ours:
                self._end_early(error)
        except BaseException:
            if ours:  # it was interrupted amid its end: its waiters would wait for ever
                self._settle(None, error)
            raise

    def cancel(self) -> bool:
        """Ask it to end: at once if it waits or runs in a thread, which is left behind, else as soon as it can.

        Returns:
            Whether it is not too late.
        """
        error = cancelled_error()  # where even this fails, nothing has been changed
        waiting = left = False
        try:
            with self._lock:
                if self._state not in {SubmissionState.WAITING, *RUNS}:
                    return False
                self._asked = True
                waiting = self._state is SubmissionState.WAITING
                left = self._state is SubmissionState.RUNNING and self._interrupt is None and self._task is None
                if waiting or left:
                    self._state = SubmissionState.ENDING
            if self._resume is not None:
                self._resume.set()
            if waiting:
                self._end_early(error)
            elif left:
                self._end_abandoned(error)
            elif self._task is not None:
                cancel_task(self._task)
            elif self._interrupt is not None:
                self._interrupt()
        except BaseException:
            if waiting or left:
                self._settle(None, error)
            raise
        return True

    def read(self) -> None:
        """Note that its outcome was read."""
        self._children.mark_read(self)

    def try_run_while_waiting(self) -> bool:
        """Run it here, if it waits for a thread of this executor; return whether it has left its queue."""
        if (
            self._state is SubmissionState.WAITING
            and self._executor.owns_current_thread()
            and not (self.is_async and running_loop())
        ):
            run_nested(self.run)
        return self._state is not SubmissionState.WAITING

    def try_run_while_awaiting(self) -> bool:
        """Like `try_run_while_waiting`, in a coroutine: an async function runs in this event loop, as a submission."""
        starts_here = self.is_async and self._state is SubmissionState.WAITING and self._executor.owns_current_thread()
        if starts_here:
            spawn(running_loop(), self._run_in_loop, self._context.copy(), self.cancel)
            add_nested(self)
        return starts_here or self.try_run_while_waiting()

    def _try_take(self) -> bool:
        """Claim it for its only run; False if it runs already, was cancelled, or its flow has ended."""
        if self.call.handle.run is None:
            self.cancel()
        with self._lock:
            taken, self._taken = self._taken, True
            return not taken and self._state is SubmissionState.WAITING

    def _try_start(self, *, interrupt: Callable[[], object] | None = None, task: object = None) -> bool:
        """Record the start; False if it was cancelled."""
        with self._lock:
            if self._state is not SubmissionState.WAITING:
                return False
            self._state = SubmissionState.STARTING
            self._interrupt, self._task = interrupt, task
            self._thread = threading.current_thread()
        enter(self.call)
        bind_pool_thread()
        start(self.call)
        if self._try_go_on():
            return True
        error = cancelled_error()
        failed(self.call, error)
        self._settle(None, error)
        return False

    def _complete(self, call: Call, value: object) -> None:
        if not self._try_move(SubmissionState.ENDING):
            return
        if self._asked:
            failed(call, cancelled_error())
        else:
            complete(call, value)

    def _failed(self, call: Call, error: BaseException) -> AttemptDecision:
        definition: TaskDefinition = call.definition
        retries = definition.retry.retries_after(call.attempt, error)
        if retries and self._resume is None:
            self._resume = threading.Event()
        if not self._try_move(SubmissionState.RETRYING if retries else SubmissionState.ENDING):
            return RAISE
        if self._asked and not retries:
            error = cancelled_error()
        decision = failed(call, error)
        if retries and not self._try_go_on():
            return failed(call, cancelled_error())
        return decision

    def _try_move(self, state: SubmissionState) -> bool:
        """Move it to another state; False if it was abandoned."""
        with self._lock:
            if self._state not in RUNS:
                return False
            self._state = state
            return True

    def _try_go_on(self) -> bool:
        """Move it to `running`; False if it was cancelled while listeners heard of its start or retry."""
        with self._lock:
            self._state = SubmissionState.ENDING if self._asked else SubmissionState.RUNNING
            return not self._asked

    def _pause(self, seconds: float) -> None:
        if self._resume is not None and self._resume.wait(seconds):
            raise cancelled_error()

    def _end_early(self, error: BaseException) -> None:
        """End it before its start."""
        start(self.call)
        self.call.attempt = 0
        decision = failed(self.call, error)
        self._settle(None, error if decision is RAISE else None)

    def _end_abandoned(self, error: BaseException) -> None:
        run: Run | None = self.call.handle.run
        if self._thread is not None:
            if run is not None and run.calls.keeps_calls:
                run.abandoned_threads[self.call.order] = self._thread
            self._executor.abandon(self._thread)
        self._drop_rest()
        failed(self.call, error)
        self._settle(None, error)

    def _settle(self, value: object, error: BaseException | None) -> None:
        """Give the outcome to its waiters; only the first one counts."""
        if self._asked and self._task is None:  # a coroutine may have its own way to end
            value, error = None, cancelled_error()
        if error is not None and not self.settled and not is_cancelled_error(error):
            self._children.note_failure(self, error)
        with self._lock:
            if self._state is not SubmissionState.SETTLED:
                self.value: Any = value
                self.error: BaseException | None = error
                self._traceback = None if error is None else error.__traceback__
                self._state = SubmissionState.SETTLED
                self._args, self._kwargs = (), {}
                self._task = None
                self.home: object = None
        del value, error  # a waiter that drops them may rely on their end
        try:
            self._wake_all()
            run: Run | None = self.call.handle.run
            if run is not None and not run.calls.keeps_calls:
                run.placements.pop(self.order, None)
        finally:
            self._children.remove(self)
