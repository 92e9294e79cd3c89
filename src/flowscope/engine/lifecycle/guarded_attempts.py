"""Attempts of tasks that have policies: the answers of the policies, performed around the attempt."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from ..._clock import sleep
from ...concurrency.event_loops import sleep as sleep_async
from ..definitions.task_definition import TaskDefinition
from ..injection.provider_stack import value_unless
from ..policies.policy import (
    DONE,
    NOT_ASKED,
    RUN,
    TOLERATE,
    BeforeAttempt,
    CallPolicy,
    Lookup,
    Outcome,
    Raise,
    Record,
    Return,
    Wait,
    WaitFor,
)
from ..scope.call import Call
from .steps import Step, Steps, blocking_step, perform, perform_async, waiting_step
from .task_lifecycle import revise

__all__ = ["guarded", "guarded_async"]

Attempt = Callable[[Call, tuple[Any, ...], dict[str, Any]], Any]
AsyncAttempt = Callable[[Call, tuple[Any, ...], dict[str, Any]], Coroutine[Any, Any, Any]]


def guarded(attempt: Attempt) -> Attempt:
    """The attempt, with the policies of its task around it."""

    def attempt_guarded(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        outcome = perform(_attempt_steps(call, blocking_step(partial(attempt, call, args, kwargs))))
        return value_unless(outcome.error, outcome.value)

    return attempt_guarded


def guarded_async(attempt: AsyncAttempt) -> AsyncAttempt:
    """The attempt, with the policies of its task around it."""

    async def attempt_guarded(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        outcome = await perform_async(_attempt_steps(call, waiting_step(partial(attempt, call, args, kwargs))))
        return value_unless(outcome.error, outcome.value)

    return attempt_guarded


def _attempt_steps(call: Call, body: Step) -> Steps[Outcome]:
    definition: TaskDefinition = call.definition
    for policy in definition.policies:
        answer = yield from _admission(policy, call)
        if isinstance(answer, Return):
            return Outcome(answer.value)
        if answer is not None:
            return Outcome(None, answer.error)
    outcome = Outcome()
    try:
        outcome = Outcome((yield body))
    except BaseException as error:
        outcome = Outcome(None, error)
        if definition.retry.retries_after(call.attempt, error):
            return outcome
    for policy in reversed(definition.policies):
        outcome = Outcome(outcome.value, (yield from _settlement(policy, call, outcome)))
    return outcome


def _admission(policy: CallPolicy, call: Call) -> Steps[Return | Raise | None]:
    """Ask a policy until it lets the attempt run, or answers in its place."""
    found: object = NOT_ASKED
    while (answer := policy.before_attempt(call, found)) is not RUN:
        if isinstance(answer, (Return, Raise)):
            return answer
        found = yield _waiting(policy, answer)
    return None


def _waiting(policy: CallPolicy, answer: BeforeAttempt) -> Step:
    match answer:
        case Wait(seconds):
            return Step(partial(sleep, seconds), partial(sleep_async, seconds))
        case WaitFor(latch):
            return Step(latch.wait_blocking, latch.wait)
        case Lookup(key):
            outcomes = policy.outcomes
            return Step(partial(outcomes.look_up, key), partial(outcomes.look_up_async, key))
        case _:
            raise TypeError(f"{answer!r} is no answer of before_attempt")


def _settlement(policy: CallPolicy, call: Call, outcome: Outcome) -> Steps[BaseException | None]:
    """Ask a policy what follows the attempt; the error that the attempt ends with."""
    answer = policy.after_attempt(call, outcome)
    if isinstance(answer, Record):
        outcomes = policy.outcomes
        yield Step(partial(outcomes.record, call, answer.outcome), partial(outcomes.record_async, call, answer.outcome))
    elif isinstance(answer, Raise):
        answer.error.__cause__ = outcome.error
        return answer.error
    elif answer is TOLERATE:
        revise(call, "raise_on_error", value=False)
    elif answer is not DONE:
        raise TypeError(f"{answer!r} is no answer of after_attempt")
    return outcome.error
