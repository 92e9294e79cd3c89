"""One worker process, as seen by the thread that waits for its answers."""

import math
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait
from typing import Any, Final

from ..._clock import Ticks, seconds, tick, ticks_after
from ...concurrency.event_loops import cancelled_error
from ...engine.definitions.task_definition import TaskDefinition
from ...engine.lifecycle.task_lifecycle import timed_out
from ...engine.scope.call import Call
from ...errors import SerializationError, WorkerDiedError
from ...serialization.exception_snapshot import summary_of
from ...serialization.transport.exception_transport import unpack_error
from ...serialization.transport.pickling import unpickle
from ..submission.executor import Submission
from .attempt import attempt_request_for, pack, positional_names, probe_for
from .interpreter_exit import pause_at_exit
from .messages import Message, Outcome, Started, TurnedAsync, Unread, unpack_message
from .replay import Replay
from .worker_start import LateError, forget_process, start_context, start_process

__all__ = ["WorkerProcess"]

_FAREWELL_SECONDS: Final = 3.0


class WorkerProcess:
    """Started when it is needed, and again after it was killed or has died."""

    def __init__(self, method: str, start_timeout: float) -> None:
        self._context: Any = start_context(method)
        self._start_timeout = start_timeout
        self._process: Any = None
        self._connection: Any = None
        self._killed = False
        """Whether it has been killed, and may not know it yet."""
        self._starts = False
        """Whether it is being started, and not ready yet."""
        self._submission: Submission | None = None
        """What it works for, or is started for."""
        self._lock = threading.RLock()
        """Held to kill it, or to say what it works for."""

    def run(self, submission: Submission) -> None:
        """Run a submission to its end; never raises."""
        with self._lock:
            self._submission = submission
        try:
            self._run(submission)
        finally:
            with self._lock:
                self._submission = None

    def _run(self, submission: Submission) -> None:
        if submission.cancelled:
            return
        try:
            self._be_ready(submission)
        except BaseException as error:
            submission.refuse(error)
        else:
            submission.run(partial(self._attempt, submission), partial(self._kill_for, submission))

    def close(self) -> None:
        """Let the process go; kill it if it does not."""
        if self._process is None:
            return
        self._connection.close()
        self._process.join(_FAREWELL_SECONDS)
        self._forget()

    def _be_ready(self, submission: Submission) -> None:
        """See to it that there is a process that waits for work.

        Raises:
            WorkerDiedError: It has ended before it was ready, or was not ready in time.
            CancelledError: The submission was cancelled meanwhile.
            BaseException: Whatever starting it raised; nothing is left of it.
        """
        if self._process is not None:
            if self._process.is_alive() and not self._killed:
                return
            self._forget()
        name = submission.call.definition.name
        try:
            with self._starting(submission):
                self._start(name)
        except LateError:
            self._forget()
            reason = (
                f"it was not ready {self._start_timeout:g} s after its start. What does it import? See start_timeout."
            )
            raise WorkerDiedError(name, ready=False, reason=reason) from None
        except (_DiedError, EOFError, ConnectionError):
            raise self._died(submission, ready=False) from None
        except BaseException:
            self._forget()
            raise

    @contextmanager
    def _starting(self, submission: Submission) -> Generator[None]:
        """A block in which the end of the submission ends the process that is being started for it."""
        with self._lock:
            if submission.cancelled:
                raise cancelled_error()
            self._starts, self._killed = True, False
        submission.when_settled(partial(self._kill_start_for, submission))
        try:
            yield
        finally:
            with self._lock:
                self._starts = False

    def _start(self, task_name: str) -> None:
        begin = tick()
        process, connection = start_process(self._context, task_name, self._start_timeout)
        with self._lock:
            self._process, self._connection = process, connection
            if self._killed:
                process.kill()
        del process, connection  # a failure holds this frame, and this frame what has descriptors
        unlimited = math.isinf(self._start_timeout)
        self._receive(None if unlimited else ticks_after(self._start_timeout, begin))

    def _died(self, submission: Submission, *, ready: bool = True) -> BaseException:
        """Reap the process, which has ended; tell what that means for its submission."""
        code = self._forget()
        pause_at_exit()
        return (
            cancelled_error() if submission.cancelled else WorkerDiedError(submission.call.definition.name, code, ready)
        )

    def _attempt(self, submission: Submission, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Have one attempt made, and enter into the record what is told of it."""
        definition: TaskDefinition = call.definition
        request = attempt_request_for(call, args, kwargs)
        names = positional_names(call)
        packed = pack(request, definition.name, names)
        try:
            answer = self._answer_of_one(submission, packed)
            if isinstance(answer, Unread):
                self._send(probe_for(request, definition.name, names))
                answer = self._answer_to_probe()
        except LateError:
            self._forget()
            raise timed_out(call, definition.timeout or 0.0) from None
        except _DiedError:
            raise self._died(submission) from None
        except BaseException:  # an interrupt of this thread: what the process still says is for nobody
            self._forget()
            raise
        return _value(answer, definition.name)

    def _answer_of_one(self, submission: Submission, packed: bytes) -> Outcome | Unread:
        """The answer of a process; of another one, if the first has died before it began.

        Raises:
            _DiedError: It has died.
            LateError: It has not answered in time.
        """
        self._be_ready(submission)
        replay = Replay(submission.call)
        try:
            return self._answer(submission, packed, replay)
        except _DiedError:
            if replay.started or submission.cancelled:
                raise
        self._forget()
        self._be_ready(submission)
        return self._answer(submission, packed, Replay(submission.call))

    def _answer(self, submission: Submission, packed: bytes, replay: Replay) -> Outcome | Unread:
        """What the process answers; it is killed at the deadline.

        Raises:
            _DiedError: It has died.
            LateError: It has not answered in time.
        """
        timeout: float | None = submission.call.definition.timeout
        deadline: Ticks | None = None
        with self._lock:
            if submission.cancelled:
                raise cancelled_error()
        try:
            self._send(packed)
            while True:
                message = self._receive(deadline)
                if isinstance(message, Outcome | Unread):
                    return message
                if isinstance(message, Started) and timeout is not None:
                    deadline = submission.call.deadline = ticks_after(timeout)
                if isinstance(message, TurnedAsync):
                    submission.turn_async()
                replay.take(message)
        except LateError:
            self._kill_for(submission)
            self._drain(replay)
            raise
        finally:
            replay.close()

    def _drain(self, replay: Replay) -> None:
        """Take what a killed process has told."""
        try:
            while True:
                replay.take(self._receive(None))
        except _DiedError:
            return

    def _answer_to_probe(self) -> Unread:
        message = self._receive(None)
        assert isinstance(message, Unread)
        return message

    def _receive(self, deadline: Ticks | None) -> Message:
        """The next message.

        Raises:
            _DiedError: It has died.
            LateError: There is none at the deadline.
        """
        left = None if deadline is None else seconds(tick(), deadline)
        ready = [] if left is not None and left <= 0 else wait([self._connection, self._process.sentinel], left)
        if not ready:
            raise LateError
        try:
            is_there = self._connection in ready or self._connection.poll()
            packed = self._connection.recv_bytes() if is_there else None
        except (EOFError, OSError):
            packed = None
        if packed is None:
            raise _DiedError
        return unpack_message(packed)

    def _send(self, packed: bytes) -> None:
        """Send it work.

        Raises:
            _DiedError: It has died.
        """
        try:
            self._connection.send_bytes(packed)
        except OSError:
            raise _DiedError from None

    def _kill_for(self, submission: Submission) -> None:
        """Kill it while it works, or is started, for that submission."""
        with self._lock:
            if self._submission is submission:
                self._killed = True
                if self._process is not None:
                    self._process.kill()

    def _kill_start_for(self, submission: Submission) -> None:
        """Kill it while it is started for that submission."""
        with self._lock:
            if self._starts:
                self._kill_for(submission)

    def _forget(self) -> int | None:
        """Reap the process, if there is one, which has ended or is to; return its exit code."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return None
        self._connection.close()
        return forget_process(process)


class _DiedError(Exception):
    """The process has ended: a signal within this module."""


def _value(answer: Outcome | Unread, task_name: str) -> Any:
    """What an attempt returned; what it raised is raised."""
    if isinstance(answer, Unread):
        raise SerializationError(*answer)
    if answer.info is None:
        try:
            return unpickle(answer.packed)
        except BaseException as error:  # whatever the value's class does when it is read
            reason = f"it cannot be read here, {summary_of(error)}"
            raise SerializationError(f"the return value of task {task_name!r}", answer.value_type, reason) from error
    failure = unpack_error(answer.packed, answer.info, answer.own)
    try:
        raise failure
    finally:
        del failure  # it would hold this frame, and this frame it
