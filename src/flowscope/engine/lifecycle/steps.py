"""The steps of a lifecycle: their order is a generator, written once; a sync and an async driver perform it."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar, final

__all__ = ["Step", "Steps", "TwoWayStep", "blocking_step", "perform", "perform_async", "waiting_step"]

T = TypeVar("T")


class Step(Protocol):
    """A part of a lifecycle that may block or wait."""

    def block(self) -> Any:
        """Perform the step in this thread."""
        ...

    def wait(self) -> Coroutine[Any, Any, Any]:
        """Perform the step in a coroutine."""
        ...


@final
class TwoWayStep:
    """A step of two functions."""

    __slots__ = ("_block", "_wait")

    def __init__(self, block: Callable[[], Any], wait: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._block = block
        self._wait = wait

    def block(self) -> Any:
        """Call the first one."""
        return self._block()

    def wait(self) -> Coroutine[Any, Any, Any]:
        """Call the second one, for its coroutine."""
        return self._wait()


def blocking_step(block: Callable[[], Any]) -> Step:
    """A step for `perform` alone."""
    return TwoWayStep(block, _wrong_driver)


def waiting_step(wait: Callable[[], Coroutine[Any, Any, Any]]) -> Step:
    """A step for `perform_async` alone."""
    return TwoWayStep(_wrong_driver, wait)


def _wrong_driver() -> Any:
    raise AssertionError("this step is for the other driver")


Steps = Generator[Step, Any, T]
"""A lifecycle: it yields steps, gets their results, or the exceptions that they raise, and returns its own result.

It must not raise an exception of the user: a `StopIteration` would be lost.
"""


def perform(steps: Steps[T]) -> T:
    """Perform steps in this thread. An interrupt, wherever it comes, is an exception of the present step."""
    step: Step | None = None
    errors: list[BaseException] = []  # popped before it is thrown, so that no frame holds an error
    while True:
        try:
            if errors:
                step = steps.throw(errors.pop())
            else:
                step = steps.send(None if step is None else step.block())
        except BaseException as error:
            if _has_ended(steps):
                if type(error) is StopIteration:
                    result: T = error.value
                    return result
                raise
            errors[:] = [error]


async def perform_async(steps: Steps[T]) -> T:
    """Perform steps in this asyncio task. Its cancellation is an exception of the present step."""
    step: Step | None = None
    errors: list[BaseException] = []
    while True:
        try:
            if errors:
                step = steps.throw(errors.pop())
            else:
                step = steps.send(None if step is None else await step.wait())
        except BaseException as error:
            if _has_ended(steps):
                if type(error) is StopIteration:
                    result: T = error.value
                    return result
                raise
            errors[:] = [error]


def _has_ended(steps: Any) -> bool:
    return steps.gi_frame is None
