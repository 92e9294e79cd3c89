"""The steps of a lifecycle: their order is a generator, written once; a sync and an async driver perform it."""

from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, NamedTuple, TypeVar

__all__ = ["Step", "Steps", "blocking_step", "perform", "perform_async", "waiting_step"]

T = TypeVar("T")


class Step(NamedTuple):
    """A part of a lifecycle that may block or wait."""

    block: Callable[[], Any]
    """Performs the step in this thread."""
    wait: Callable[[], Coroutine[Any, Any, Any]]
    """Performs the step in a coroutine."""


def blocking_step(block: Callable[[], Any]) -> Step:
    """A step for `perform` alone."""
    return Step(block, _wrong_driver)


def waiting_step(wait: Callable[[], Coroutine[Any, Any, Any]]) -> Step:
    """A step for `perform_async` alone."""
    return Step(_wrong_driver, wait)


def _wrong_driver() -> Any:
    raise AssertionError("this step is for the other driver")


Steps = Generator[Step, Any, T]
"""A lifecycle: it yields steps, gets their results, or the exceptions that they raise, and returns its own result.

It must not raise an exception of the user: a `StopIteration` would be lost.
"""


def perform(steps: Steps[T]) -> T:
    """Perform steps in this thread. An interrupt, wherever it comes, is an exception of the present step."""
    resume: list[Callable[[], Step]] = [steps.__next__]  # popped before it is called, so that no frame holds an error
    while True:
        try:
            step = resume.pop()()
            resume.append(partial(steps.send, step.block()))
        except BaseException as error:
            if _has_ended(steps):
                if type(error) is StopIteration:
                    result: T = error.value
                    return result
                raise
            resume[:] = [partial(steps.throw, error)]


async def perform_async(steps: Steps[T]) -> T:
    """Perform steps in this asyncio task. Its cancellation is an exception of the present step."""
    resume: list[Callable[[], Step]] = [steps.__next__]
    while True:
        try:
            step = resume.pop()()
            resume.append(partial(steps.send, await step.wait()))
        except BaseException as error:
            if _has_ended(steps):
                if type(error) is StopIteration:
                    result: T = error.value
                    return result
                raise
            resume[:] = [partial(steps.throw, error)]


def _has_ended(steps: Any) -> bool:
    return steps.gi_frame is None
