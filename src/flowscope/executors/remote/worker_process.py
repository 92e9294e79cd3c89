"""One worker process, as seen by the thread that waits for its answers."""

import atexit
import multiprocessing
import threading
from functools import partial
from multiprocessing.connection import wait
from typing import Any, Final
from weakref import WeakSet

from ..._clock import seconds, tick
from ...concurrency.event_loops import cancelled_error
from ...concurrency.fork import call_in_forked_children
from ...engine.definitions.task_definition import TaskDefinition
from ...engine.lifecycle.task_lifecycle import timed_out
from ...engine.scope.call import Call
from ...errors import SerializationError, WorkerDiedError
from ...serialization.exception_snapshot import summary_of
from ...serialization.exception_transport import unpack_error
from ..submission.submission import Submission
from .attempt import attempt_request_for, pack, positional_names, probe_for
from .messages import Message, Outcome, Started, TurnedAsync, Unread, unpack, unpack_message
from .replay import Replay
from .worker_main import serve

__all__ = ["WorkerProcess"]

_FAREWELL_SECONDS: Final = 3.0


class WorkerProcess:
    """Started when it is needed, and again after it was killed or has died."""

    def __init__(self, method: str) -> None:
        self._context: Any = multiprocessing.get_context("spawn" if _forked else method)
        self._process: Any = None
        self._connection: Any = None
        self._killed = False
        """Whether it has been killed, and may not know it yet."""
        self._submission: Submission | None = None
        """What it works for."""
        self._lock = threading.Lock()
        """Held to kill it, or to say what it works for."""

    def run(self, submission: Submission) -> None:
        """Run a submission to its end; never raises."""
        if submission.cancelled:
            return
        try:
            self._be_ready(submission)
        except Exception as error:
            submission.refuse(error)
            return
        with self._lock:
            self._submission = submission
        try:
            submission.run(partial(self._attempt, submission), partial(self._kill_for, submission))
        finally:
            with self._lock:
                self._submission = None

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
            WorkerDiedError: It has ended before it was ready.
        """
        if self._process is not None:
            if self._process.is_alive() and not self._killed:
                return
            self._forget()
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs,), name="flowscope-worker")
        with theirs, _starting:
            _hold_still()
            process.start()
            _running.add(process)
        with self._lock:
            self._process, self._connection, self._killed = process, ours, False
        try:
            self._receive(None)
        except EOFError:
            code = self._forget()
            _hold_still()
            if submission.cancelled:
                raise cancelled_error() from None
            raise WorkerDiedError(submission.call.definition.name, code, ready=False) from None

    def _attempt(self, submission: Submission, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Have one attempt made, and enter into the record what is told of it."""
        definition: TaskDefinition = call.definition
        request = attempt_request_for(call, args, kwargs)
        names = positional_names(call)
        packed = pack(request, definition.name, names)
        try:
            answer = self._answer_of_one(submission, packed)
            if isinstance(answer, Unread):
                self._connection.send_bytes(probe_for(request, definition.name, names))
                answer = self._answer_to_probe()
        except _Late:
            self._forget()
            raise timed_out(call, definition.timeout or 0.0) from None
        except (EOFError, OSError):
            code = self._forget()
            _hold_still()
            if submission.cancelled:
                raise cancelled_error() from None
            raise WorkerDiedError(definition.name, code) from None
        except BaseException:  # an interrupt of this thread: what the process still says is for nobody
            self._forget()
            raise
        return _value(answer, definition.name)

    def _answer_of_one(self, submission: Submission, packed: bytes) -> Outcome | Unread:
        """The answer of a process; of another one, if the first has died before it began.

        Raises:
            EOFError: It has died.
            OSError: It has died.
            _Late: It has not answered in time.
        """
        self._be_ready(submission)
        replay = Replay(submission.call)
        try:
            return self._answer(submission, packed, replay)
        except (EOFError, OSError):
            if replay.started or submission.cancelled:
                raise
        self._forget()
        self._be_ready(submission)
        return self._answer(submission, packed, Replay(submission.call))

    def _answer(self, submission: Submission, packed: bytes, replay: Replay) -> Outcome | Unread:
        """What the process answers; it is killed at the deadline.

        Raises:
            EOFError: It has died.
            OSError: It has died.
            _Late: It has not answered in time.
        """
        timeout: float | None = submission.call.definition.timeout
        deadline: int | None = None
        with self._lock:
            if submission.cancelled:
                raise cancelled_error()
        try:
            self._connection.send_bytes(packed)
            while True:
                message = self._receive(deadline)
                if isinstance(message, Outcome | Unread):
                    return message
                if isinstance(message, Started) and timeout is not None:
                    deadline = submission.call.deadline = tick() + int(timeout * 1e9)
                if isinstance(message, TurnedAsync):
                    submission.turn_async()
                replay.take(message)
        except _Late:
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
        except (EOFError, OSError):
            return

    def _answer_to_probe(self) -> Unread:
        message = self._receive(None)
        assert isinstance(message, Unread)
        return message

    def _receive(self, deadline: int | None) -> Message:
        """The next message.

        Raises:
            EOFError: It has died.
            _Late: There is none at the deadline.
        """
        left = None if deadline is None else seconds(tick(), deadline)
        ready = [] if left is not None and left <= 0 else wait([self._connection, self._process.sentinel], left)
        if not ready:
            raise _Late
        if self._connection not in ready and not self._connection.poll():
            raise EOFError
        return unpack_message(self._connection.recv_bytes())

    def _kill_for(self, submission: Submission) -> None:
        """Kill it while it works for that submission."""
        with self._lock:
            if self._submission is submission and self._process is not None:
                self._killed = True
                self._process.kill()

    def _forget(self) -> int | None:
        """Reap the process, which has ended or is to; return its exit code."""
        with self._lock:
            process, self._process = self._process, None
        self._connection.close()
        process.kill()
        process.join()
        code: int | None = process.exitcode
        _running.discard(process)
        return code


def _value(answer: Outcome | Unread, task_name: str) -> Any:
    """What an attempt returned; what it raised is raised."""
    if isinstance(answer, Unread):
        raise SerializationError(*answer)
    if answer.info is None:
        try:
            return unpack(answer.packed)
        except BaseException as error:  # whatever the value's class does when it is read
            reason = f"it cannot be read here, {summary_of(error)}"
            raise SerializationError(f"the return value of task {task_name!r}", answer.value_type, reason) from error
    failure = unpack_error(answer.packed, answer.info)
    try:
        raise failure
    finally:
        del failure  # it would hold this frame, and this frame it


class _Late(Exception):  # noqa: N818 - a signal within this module
    """The deadline has passed."""


_running: Final["WeakSet[Any]"] = WeakSet()


@atexit.register
def _kill_all() -> None:
    """Nobody waits for them any more, and the interpreter would."""
    if _starting.acquire(timeout=_FAREWELL_SECONDS):  # one that is just being started would complain
        _leaving.append(True)
        _starting.release()
    for process in list(_running):
        process.kill()


_starting = threading.Lock()
_leaving: Final[list[bool]] = []
"""Not empty when the interpreter is leaving."""


def _hold_still() -> None:
    """Stay here for ever in an interpreter that is leaving: whoever waited is gone."""
    if _leaving:
        threading.Event().wait()


_forked: Final[list[bool]] = []
"""Not empty in a forked process, whose fork server is its parent's."""


@call_in_forked_children
def _forget_in_child() -> None:
    global _starting  # noqa: PLW0603 - nobody holds it here
    _starting = threading.Lock()
    _running.clear()  # they are not the child's to kill
    _forked.append(True)
