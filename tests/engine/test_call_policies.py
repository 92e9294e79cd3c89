"""Policies decide before and after the attempts of a call; the drivers perform their decisions, sync and async."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from typing import Any

import pytest

from flowscope import DefinitionError, Flow, RunStatus, ThreadExecutor, submit, use_executor
from flowscope.concurrency.latch import Latch
from flowscope.engine.policies.policy import (
    DONE,
    NO_LOOKUP,
    RUN,
    TOLERATE,
    AfterAttempt,
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
from flowscope.engine.scope.call import Call
from support.policies import task_with

Ways = list[Callable[[Flow[Any], CallPolicy, Callable[[], Any]], Any]]


def call_sync(made: Flow[Any], policy: CallPolicy, work: Callable[[], Any], **options: Any) -> Any:
    """Call a sync task that has the policy."""
    with made:
        return task_with(policy, **options)(lambda: work())()


def call_async(made: Flow[Any], policy: CallPolicy, work: Callable[[], Any], **options: Any) -> Any:
    """Await an async task that has the policy."""

    async def body() -> Any:
        await asyncio.sleep(0)
        return work()

    async def main() -> Any:
        async with made:
            return await task_with(policy, **options)(body)()

    return asyncio.run(main())


def call_submitted(made: Flow[Any], policy: CallPolicy, work: Callable[[], Any], **options: Any) -> Any:
    """Submit a sync task that has the policy to a thread."""
    with made, ThreadExecutor(1) as threads, use_executor(threads):
        return submit(task_with(policy, **options)(lambda: work())).result()


every_way = pytest.mark.parametrize("perform", [call_sync, call_async, call_submitted])


class Book:
    """Keeps outcomes, and notes which form of its methods is used."""

    def __init__(self) -> None:
        self.values: dict[Hashable, object] = {}
        self.recorded: list[Outcome] = []
        self.forms: list[str] = []

    def look_up(self, key: Hashable) -> object:
        self.forms.append("block")
        return self.values.get(key)

    async def look_up_async(self, key: Hashable) -> object:
        await asyncio.sleep(0)
        self.forms.append("wait")
        return self.values.get(key)

    def record(self, call: Call, outcome: Outcome) -> None:
        self.forms.append("block")
        self.recorded.append(outcome)

    async def record_async(self, call: Call, outcome: Outcome) -> None:
        await asyncio.sleep(0)
        self.forms.append("wait")
        self.recorded.append(outcome)


class Replay(CallPolicy):
    """Gives what is in the book, and records what is not."""

    def __init__(self) -> None:
        self.outcomes = self.book = Book()

    def before_attempt(self, call: Call, lookup_result: object) -> BeforeAttempt:
        if lookup_result is NO_LOOKUP:
            return Lookup("key")
        return RUN if lookup_result is None else Return(lookup_result)

    def after_attempt(self, call: Call, outcome: Outcome) -> AfterAttempt:
        return Record(outcome)


@every_way
def test_what_was_found_is_the_value_and_nothing_runs(perform: Callable[..., Any]) -> None:
    """`Lookup` is answered from the outcomes, in the form that fits the driver; `Return` ends the call."""
    policy, made = Replay(), Flow[None]()
    policy.book.values["key"] = 5
    assert perform(made, policy, lambda: pytest.fail("it ran")) == 5
    assert policy.book.forms == ["wait" if perform is call_async else "block"]
    assert made.flow_run.tasks[0].return_value == 5


@every_way
def test_an_outcome_is_recorded_before_the_caller_has_it(perform: Callable[..., Any]) -> None:
    """`Record` is performed for a value and for an error, before the call ends."""
    policy = Replay()
    assert perform(Flow[None](), policy, lambda: 7) == 7
    assert policy.book.recorded == [Outcome(7, None)]
    error = ValueError("own")

    def fail() -> None:
        raise error

    policy = Replay()
    with pytest.raises(ValueError, match="own") as caught:
        perform(Flow[None](), policy, fail)
    assert caught.value is error
    assert policy.book.recorded == [Outcome(None, error)]


@every_way
def test_only_the_last_attempt_is_recorded(perform: Callable[..., Any]) -> None:
    """An attempt that another one follows is no outcome."""
    attempts = iter([1, 2])
    policy = Replay()

    def flaky() -> int:
        if next(attempts) == 1:
            raise ValueError
        return 2

    assert perform(Flow[None](), policy, flaky, retries=1) == 2
    assert policy.book.recorded == [Outcome(2, None)]


class Scripted(CallPolicy):
    """Gives prepared answers."""

    def __init__(self, before: list[BeforeAttempt], after: AfterAttempt = DONE) -> None:
        self.before = before
        self.after: AfterAttempt = after

    def before_attempt(self, call: Call, lookup_result: object) -> BeforeAttempt:
        return self.before.pop(0) if self.before else RUN

    def after_attempt(self, call: Call, outcome: Outcome) -> AfterAttempt:
        return self.after


@every_way
def test_waits_are_performed_and_the_policy_is_asked_again(perform: Callable[..., Any]) -> None:
    """After `Wait` and `WaitFor` the policy is asked anew, and the attempt runs when it says so."""
    latch = Latch()
    policy = Scripted([Wait(0.001), WaitFor(latch), RUN])
    threading.Timer(0.01, latch.set).start()
    assert perform(Flow[None](), policy, lambda: latch.is_set) is True
    assert policy.before == []


@every_way
def test_a_policy_may_refuse_an_attempt(perform: Callable[..., Any]) -> None:
    """`Raise` before an attempt is its failure, and its body does not run."""
    made, error = Flow[None](), PermissionError("not now")
    with pytest.raises(PermissionError) as caught:
        perform(made, Scripted([Raise(error)]), lambda: pytest.fail("it ran"))
    assert caught.value is error
    assert made.flow_run.tasks[0].status == RunStatus.FAILED


@every_way
def test_a_policy_may_replace_an_error_or_tolerate_it(perform: Callable[..., Any]) -> None:
    """After a failure, `Raise` gives another error, with the first one as its cause; `TOLERATE` gives None."""
    made, other = Flow[None](), KeyError("other")
    with pytest.raises(KeyError) as caught:
        perform(made, Scripted([], Raise(other)), lambda: 1 // 0)
    assert caught.value is other
    assert isinstance(other.__cause__, ZeroDivisionError)
    made = Flow[None]()
    assert perform(made, Scripted([], TOLERATE), lambda: 1 // 0) is None
    assert made.flow_run.tasks[0].status == RunStatus.FAILED
    assert made.flow_run.status == RunStatus.COMPLETED


def test_policies_are_asked_in_order_and_afterwards_in_reverse() -> None:
    """The first policy is asked first before an attempt, and last after it."""
    asked: list[str] = []

    class Noted(CallPolicy):
        def __init__(self, name: str) -> None:
            self.name = name

        def before_attempt(self, call: Call, lookup_result: object) -> BeforeAttempt:
            asked.append(f"before {self.name}")
            return RUN

        def after_attempt(self, call: Call, outcome: Outcome) -> AfterAttempt:
            asked.append(f"after {self.name}")
            return DONE

    with Flow[None]():
        task_with(Noted("a"), Noted("b"))(lambda: None)()
    assert asked == ["before a", "before b", "after b", "after a"]


def test_a_call_that_is_cancelled_while_its_policy_waits_is_cancelled() -> None:
    """Cancelling an async call in a wait of its policy ends it like any other."""

    async def main() -> Flow[None]:
        never = Latch()

        async def body() -> None: ...

        async with Flow[None]() as made:
            running = asyncio.ensure_future(task_with(Scripted([WaitFor(never)]))(body)())
            await asyncio.sleep(0)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        return made

    assert asyncio.run(main()).flow_run.tasks[0].status == RunStatus.CANCELLED


def yields() -> Iterator[int]:
    """A generator."""
    yield 1


async def yields_later() -> AsyncIterator[int]:
    """An async generator."""
    yield 1


@pytest.mark.parametrize("function", [yields, yields_later])
def test_policies_of_a_generator_are_refused_where_it_is_defined(function: Callable[..., Any]) -> None:
    """A generator has no attempts, so that its policies would never be asked."""
    with pytest.raises(DefinitionError, match="give the policies to a task that it calls"):
        task_with(CallPolicy())(function)


@pytest.mark.parametrize("function", [yields, yields_later])
@pytest.mark.parametrize("perform", [call_sync, call_submitted])
def test_policies_of_a_function_that_returns_a_generator_are_refused(
    perform: Callable[..., Any], function: Callable[..., Any]
) -> None:
    """A wrapper that turns out to be a generator is refused when it is called."""
    with pytest.raises(DefinitionError, match="generator"):
        perform(Flow[Any](), CallPolicy(), function)
