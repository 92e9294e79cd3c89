"""The worker's side: it makes attempts of tasks for another process, and sends their facts."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any, Final, Protocol

from ..._clock import anchor, tick
from ...concurrency.fork import call_in_forked_children
from ...engine.definitions.callables import define
from ...engine.definitions.task_definition import TaskDefinition, task_definition_of
from ...engine.live import LIVE_TYPES
from ...serialization.exception_snapshot import Failure, summary_of
from ...serialization.transport.pickling import unpickle
from .attempt import AttemptRequest
from .hosted_run import run_hosted
from .messages import Probe, Ready, Started, Unread, pack_message, pack_outcome
from .relay import RelaySink
from .worker_flag import become_worker

__all__ = ["answer", "serve"]


class Connection(Protocol):
    """The worker's end of a pipe."""

    def recv_bytes(self) -> bytes: ...

    def send_bytes(self, buf: bytes, /) -> None: ...

    def close(self) -> None: ...


def serve(connection: Connection) -> None:
    """Make attempts, one after the other, until the other end is closed."""
    here = os.getpid()
    signal.signal(signal.SIGINT, _ignore_interrupt)
    threading.Thread(target=_end_with_parent, name="flowscope-watch", daemon=True).start()
    # else a child of a task would keep the pipe open when this process dies
    call_in_forked_children(connection.close)
    become_worker()
    logging.getLogger().addHandler(logging.NullHandler())  # records are handled where the flow runs
    try:
        connection.send_bytes(pack_message(Ready()))
        while True:
            copy_context().run(answer, connection.recv_bytes(), connection.send_bytes)
    except (EOFError, OSError):
        if os.getpid() != here:  # a child that a task has forked, and that has returned from it
            os._exit(0)


def _ignore_interrupt(*_: object) -> None:
    """An interrupt of the whole process group is for the flow to handle; what a task has started gets it as well."""


def _end_with_parent() -> None:
    """End with the process that the work is for, whatever goes on here: nobody is left who would end it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def answer(packed: bytes, send: Callable[[bytes], None]) -> None:
    """Make the attempt that was packed, and send what happens, as it happens, and the outcome last."""
    try:
        request: AttemptRequest | Probe = unpickle(packed)
        if isinstance(request, Probe):
            send(pack_message(_unreadable_part(request)))
            return
        definition = _definition_of(request)
    except Exception as error:
        send(pack_message(Unread("a call of a task", "function", _reason(error))))
        return
    _set_levels(request.levels)
    relay = RelaySink(send)
    relay.send(Started(tick(), anchor()))
    relay.end(_outcome(request, definition, relay))


def _definition_of(request: AttemptRequest) -> TaskDefinition:
    function: Any = request.function
    known = task_definition_of(getattr(function, "__func__", function))
    if known is not None and request.options is None:
        return known
    target = function if known is None else function.__wrapped__
    return TaskDefinition(define(target, "task"), LIVE_TYPES, **request.options or {})


def _unreadable_part(probe: Probe) -> Unread:
    for what, value_type, packed in probe.parts:
        try:
            unpickle(packed)
        except Exception as error:
            return Unread(what, value_type, _reason(error))
    return Unread("a call of a task", "function", "the worker cannot read it")


def _reason(error: Exception) -> str:
    return (
        f"the worker cannot read it, {summary_of(error)}; functions and classes have to be in "
        "modules that can be imported"
    )


def _outcome(request: AttemptRequest, definition: TaskDefinition, relay: RelaySink) -> bytes:
    try:
        return pack_outcome(*run_hosted(request, definition, relay), definition.name)
    except BaseException as error:
        return pack_outcome(None, error, Failure(error).info(), None, definition.name)


_own_levels: Final[dict[str, int]] = {}
"""The own levels of those loggers that have been given others."""


def _set_levels(levels: Mapping[str, int]) -> None:
    """Give loggers the levels of the other process."""
    for name in _own_levels.keys() - levels.keys():
        logging.getLogger(name or None).setLevel(_own_levels.pop(name))
    for name, level in levels.items():
        logger = logging.getLogger(name or None)
        _own_levels.setdefault(name, logger.level)
        logger.setLevel(level)
