"""Attempts of tasks that have policies: the decisions of the policies, performed around the attempt."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from ...concurrency.event_loops import sleep as sleep_async
from ..definitions.task_definition import TaskDefinition
from ..injection.provider_stack import value_unless
from ..policies.policy import (
    DONE,
    NO_LOOKUP,
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
from ..run.cancellation import pause
from ..scope.call import Call
from .steps import Step, Steps, TwoWayStep, blocking_step, perform, perform_async, waiting_step
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
        decision = yield from _admission(policy, call)
        if isinstance(decision, Return):
            return Outcome(decision.value)
        if decision is not None:
            return Outcome(None, decision.error)
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
    lookup_result: object = NO_LOOKUP
    while (decision := policy.before_attempt(call, lookup_result)) is not RUN:
        if isinstance(decision, (Return, Raise)):
            return decision
        lookup_result = yield _waiting(policy, decision)
    return None


def _waiting(policy: CallPolicy, decision: BeforeAttempt) -> Step:
    match decision:
        case Wait(seconds):
            return TwoWayStep(partial(pause, seconds), partial(sleep_async, seconds))
        case WaitFor(latch):
            return TwoWayStep(latch.wait_blocking, latch.wait)
        case Lookup(key):
            outcomes = policy.outcomes
            return TwoWayStep(partial(outcomes.look_up, key), partial(outcomes.look_up_async, key))
        case _:
            raise TypeError(f"{decision!r} is no decision of before_attempt")


def _settlement(policy: CallPolicy, call: Call, outcome: Outcome) -> Steps[BaseException | None]:
    """Perform the decision of a policy after the attempt; return the error that the attempt ends with."""
    decision = policy.after_attempt(call, outcome)
    if isinstance(decision, Record):
        outcomes = policy.outcomes
        yield TwoWayStep(
            partial(outcomes.record, call, decision.outcome), partial(outcomes.record_async, call, decision.outcome)
        )
    elif isinstance(decision, Raise):
        decision.error.__cause__ = outcome.error
        return decision.error
    elif decision is TOLERATE:
        revise(call, "raise_on_error", value=False)
    elif decision is not DONE:
        raise TypeError(f"{decision!r} is no decision of after_attempt")
    return outcome.error
