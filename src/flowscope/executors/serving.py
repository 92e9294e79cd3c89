"""The other side of an executor: making one attempt of a task in another process, and telling what happens."""

import logging
import pickle
import threading
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any, Final, Protocol

from .._clock import anchor, tick
from ..engine.call import Call
from ..engine.definition import define
from ..engine.failure import Failure, message_of
from ..engine.hosting import HostedAttempt, host
from ..engine.journal import FoundArtifact, FoundResult, Line
from ..engine.live import LIVE_TYPES
from ..engine.run import Run
from ..engine.spec import TaskSpec, spec_of
from ..model.records import ErrorInfo
from .data import RemoteData, RemoteProvided
from .parcel import Entered, Left, Message, Outcome, Parcel, Ready, Retried, Started, Unread, pack_message, unpack
from .replay import remote_error
from .surroundings import become_worker

__all__ = ["answer", "serve"]


class Connection(Protocol):
    """The worker's end of a pipe."""

    def recv_bytes(self) -> bytes: ...

    def send_bytes(self, buf: bytes, /) -> None: ...


def serve(connection: Connection) -> None:
    """Make attempts, one after the other, until the other end is closed."""
    import signal  # noqa: PLC0415 - only here

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt of the whole group is for the flow to handle
    become_worker()
    logging.getLogger().addHandler(logging.NullHandler())  # records are handled where the flow runs
    try:
        connection.send_bytes(pack_message(Ready(), ""))
        while True:
            copy_context().run(answer, connection.recv_bytes(), connection.send_bytes)
    except (EOFError, OSError):
        return


def answer(packed: bytes, send: Callable[[bytes], None]) -> None:
    """Make the attempt that was packed, and send what happens, as it happens, and the outcome last."""
    try:
        parcel: Parcel = unpack(packed)
        spec = spec_of(parcel.function) or TaskSpec(define(parcel.function, "task"), LIVE_TYPES)
    except Exception as error:
        reason = (
            f"the worker cannot read it, {type(error).__qualname__}: {message_of(error)}; its functions and classes have "
            "to be in modules that can be imported"
        )
        send(pack_message(Unread("function", reason), ""))
        return
    _adopt_levels(parcel.levels)
    teller = _Teller(spec.name, send)
    teller.tell(Started(tick(), anchor()))
    teller.end(_outcome(parcel, spec, teller))


def _outcome(parcel: Parcel, spec: TaskSpec, teller: "_Teller") -> Outcome:
    try:
        return Outcome(host(_told(parcel, spec), teller), None, None)
    except BaseException as error:
        info = Failure(error).info()
        return Outcome(None, _that_travels(error, info), info)


def _told(parcel: Parcel, spec: TaskSpec) -> HostedAttempt:
    return HostedAttempt(
        spec=spec,
        args=parcel.args,
        kwargs=parcel.kwargs,
        attempt=parcel.attempt,
        deadline=None if parcel.timeout is None else tick() + int(parcel.timeout * 1e9),
        task_id=parcel.task_id,
        token=parcel.token,
        flow_id=parcel.flow_id,
        flow_name=parcel.flow_name,
        config=parcel.config,
        tags=parcel.tags,
        data=RemoteData(parcel.data),
        provided=RemoteProvided(parcel.provided),
    )


def _that_travels(error: BaseException, info: ErrorInfo) -> BaseException:
    """The exception, if it arrives as itself."""
    try:
        arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 - what was dumped just now
    except Exception:
        return remote_error(info)
    return error if type(arrived) is type(error) else remote_error(info)


class _Teller:
    """Sends what happens in one attempt; nothing after its outcome."""

    def __init__(self, task_name: str, send: Callable[[bytes], None]) -> None:
        self._task_name = task_name
        self._send = send
        self._ended = False
        self._lock = threading.RLock()

    def tell(self, message: Message) -> None:
        """Send a message."""
        packed = pack_message(message, self._task_name)
        with self._lock:
            if not self._ended:
                self._send(packed)

    def end(self, outcome: Outcome) -> None:
        """Send the outcome."""
        packed = pack_message(outcome, self._task_name)
        with self._lock:
            self._ended = True
            self._send(packed)

    def keep(self, item: Line | FoundArtifact | FoundResult) -> None:
        """Something was logged, printed or found."""
        self.tell(item)

    def entered(self, call: Call) -> None:
        """A task called by the hosted one begins."""
        run: Run = call.handle.run
        parent = call.parent.order if isinstance(call.parent, Call) else 1
        self.tell(
            Entered(
                order=call.order,
                parent=parent,
                task_id=call.handle.task_id(call.order) or "",
                task_name=call.spec.name,
                tags=call.spec.tags,
                names=call.spec.positional_names,
                args=call.args,
                kwargs=call.kwargs or {},
                executor=run.placements.get(call.order, "inline"),
                ticks=call.started,
            )
        )

    def retried(self, call: Call, data: dict[str, Any]) -> None:
        """An attempt of a task called by the hosted one has failed, and another one follows."""
        self.tell(Retried(call.order, data))

    def left(self, call: Call, error: ErrorInfo | None) -> None:
        """A task called by the hosted one has ended."""
        self.tell(Left(call.order, call.status, call.attempt, call.value, error, call.ended))


_own_levels: Final[dict[str, int]] = {}
"""The levels of those loggers that have adopted others."""


def _adopt_levels(levels: Mapping[str, int]) -> None:
    """Log what the other process would log."""
    for name in _own_levels.keys() - levels.keys():
        logging.getLogger(name or None).setLevel(_own_levels.pop(name))
    for name, level in levels.items():
        logger = logging.getLogger(name or None)
        _own_levels.setdefault(name, logger.level)
        logger.setLevel(level)
