"""Coroutines that run in the loop of another thread, which can be cancelled and waited for to their very end."""

import contextvars
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

from .event_loops import cancelled_error, in_loop

__all__ = ["LoopCall"]


class LoopCall:
    """A coroutine that runs in the loop of another thread, in a copy of this context.

    Raises:
        RuntimeError: The loop is closed.
    """

    __slots__ = ("_asked", "_context", "_coroutine", "_ended", "_exit", "_loop", "_task")

    def __init__(self, coroutine: Coroutine[Any, Any, object], loop: Any) -> None:
        self._loop = loop
        self._coroutine = coroutine
        self._context = contextvars.copy_context()
        self._ended: Future[None] = Future()
        self._task: Any = None
        self._asked = False
        self._exit: SystemExit | None = None
        if not in_loop(loop, self._start):
            coroutine.close()
            raise RuntimeError("the event loop is closed")

    def _start(self) -> None:
        self._task = self._loop.create_task(self._run(), context=self._context)
        self._task.add_done_callback(self._end)
        if self._asked:
            self._task.cancel()

    async def _run(self) -> None:
        """An exit is that of this call: raised in an asyncio task, it would end the loop for all."""
        try:
            await self._coroutine
        except SystemExit as error:
            self._exit = error

    def _end(self, task: Any) -> None:
        self._coroutine.close()  # it was not begun, if the task was cancelled before
        if self._exit is not None:
            self._ended.set_exception(self._exit)
        elif task.cancelled():
            self._ended.set_exception(cancelled_error())
        elif (error := task.exception()) is not None:
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)

    def cancel(self) -> None:
        """Ask it to end."""
        self._asked = True
        if self._task is not None:
            in_loop(self._loop, self._task.cancel)

    def wait(self) -> None:
        """Block this thread until it is through; raises what it raises."""
        self._ended.result()
