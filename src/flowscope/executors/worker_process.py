"""One worker process, as seen by the thread that waits for its answers."""

import atexit
import multiprocessing
import os
import threading
from functools import partial
from multiprocessing.connection import wait
from typing import Any, Final
from weakref import WeakSet

from .._clock import seconds, tick
from ..engine.call import Call
from ..engine.failure import RemoteTraceback
from ..engine.loops import cancelled_error
from ..errors import SerializationError, TaskTimeoutError, WorkerDiedError
from ..model.status import RunStatus
from .job import Job
from .parcel import Message, Outcome, Started, Unread, unpack
from .replay import Replay
from .sending import parcel_of
from .serving import serve

__all__ = ["WorkerProcess"]

_FAREWELL_SECONDS: Final = 5.0


class WorkerProcess:
    """Started when it is needed, and again after it was killed or has died."""

    def __init__(self, method: str) -> None:
        self._context: Any = multiprocessing.get_context(method)
        self._process: Any = None
        self._connection: Any = None
        self._killed = False
        """Whether it has been killed, and may not know it yet."""
        self._job: Job | None = None
        """What it works for."""
        self._lock = threading.Lock()
        """Held to kill it, or to say what it works for."""

    def run(self, job: Job) -> None:
        """Run a job to its end; never raises."""
        try:
            self._be_ready(job)
        except Exception as error:
            job.refuse(error)
            return
        with self._lock:
            self._job = job
        try:
            job.run(partial(self._attempt, job), partial(self._kill_for, job))
        finally:
            with self._lock:
                self._job = None

    def close(self) -> None:
        """Let the process go; kill it if it does not."""
        if self._process is None:
            return
        self._connection.close()
        self._process.join(_FAREWELL_SECONDS)
        self._forget()

    def _be_ready(self, job: Job) -> None:
        """See to it that there is a process that waits for work.

        Raises:
            WorkerDiedError: It has ended before it was ready.
        """
        if self._process is not None:
            if self._process.is_alive() and not self._killed:
                return
            self._forget()
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs,), name="flowscope-worker")
        with theirs:
            process.start()
        _running.add(process)
        with self._lock:
            self._process, self._connection, self._killed = process, ours, False
        try:
            self._receive(None)
        except EOFError:
            code = self._forget()
            raise WorkerDiedError(job.call.spec.name, code, ready=False) from None

    def _attempt(self, job: Job, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Have one attempt made, and enter into the record what is told of it."""
        packed = parcel_of(call, args, kwargs)
        self._be_ready(job)
        timeout: float | None = call.spec.timeout
        try:
            outcome = self._answer(call, packed, timeout)
        except _Late:
            self._kill_for(job)
            self._forget()
            call.status = RunStatus.TIMED_OUT
            raise TaskTimeoutError(call.spec.name, timeout or 0.0) from None
        except (EOFError, OSError):
            code = self._forget()
            if job.cancelled:
                raise cancelled_error() from None
            raise WorkerDiedError(call.spec.name, code) from None
        return _value(outcome)

    def _answer(self, call: Call, packed: bytes, timeout: float | None) -> Outcome:
        """What the process answers.

        Raises:
            EOFError: It has died.
            OSError: It has died.
            _Late: It has not answered in time.
        """
        replay = Replay(call)
        deadline: int | None = None
        try:
            self._connection.send_bytes(packed)
            while True:
                message = self._receive(deadline)
                if isinstance(message, Unread):
                    return Outcome(None, SerializationError(f"a call of task {call.spec.name!r}", *message), None)
                if isinstance(message, Outcome):
                    return message
                if isinstance(message, Started) and timeout is not None:
                    deadline = call.deadline = tick() + int(timeout * 1e9)
                replay.take(message)
        finally:
            replay.close()

    def _receive(self, deadline: int | None) -> Message:
        """The next message.

        Raises:
            EOFError: It has died.
            _Late: There is none at the deadline.
        """
        left = None if deadline is None else max(0.0, seconds(tick(), deadline))
        ready = wait([self._connection, self._process.sentinel], left)
        if not ready:
            raise _Late
        if self._connection not in ready and not self._connection.poll():
            raise EOFError
        return _read(self._connection.recv_bytes())

    def _kill_for(self, job: Job) -> None:
        """Kill it while it works for that job."""
        with self._lock:
            if self._job is job and self._process is not None:
                self._killed = True
                self._process.kill()

    def _forget(self) -> int | None:
        """Reap the process, which has ended or is about to; return its exit code."""
        with self._lock:
            process, self._process = self._process, None
        self._connection.close()
        process.join(_FAREWELL_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        code: int | None = process.exitcode
        _running.discard(process)
        return code


def _value(outcome: Outcome) -> Any:
    """What an attempt returned; what it raised is raised."""
    if outcome.error is None:
        return outcome.value
    if outcome.info is not None:
        outcome.error.__cause__ = RemoteTraceback(outcome.info)
    try:
        raise outcome.error
    finally:
        del outcome  # it would hold this frame, and this frame it


class _Late(Exception):  # noqa: N818 - a signal within this module
    """The deadline has passed."""


def _read(packed: bytes) -> Message:
    try:
        message: Message = unpack(packed)
    except Exception as error:  # what pickles there and does not unpickle here
        text = f"it cannot be read here, {type(error).__qualname__}: {error}"
        return Outcome(None, SerializationError("the outcome of a task", "bytes", text), None)
    return message


_running: Final["WeakSet[Any]"] = WeakSet()


@atexit.register
def _kill_all() -> None:
    """Nobody waits for them any more, and the interpreter would."""
    for process in list(_running):
        process.kill()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)  # they are not the child's to kill
