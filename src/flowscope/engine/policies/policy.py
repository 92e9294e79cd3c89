"""The port `CallPolicy`: decisions before and after each attempt of a call.

A policy is pure: it gets data, and returns a decision. The drivers of `lifecycle` perform the decisions, with waits
that block a thread or an asyncio task. A task without policies calls none. A generator has no attempts: its definition
refuses policies.
"""

from collections.abc import Hashable
from enum import Enum
from typing import Final, Literal, NamedTuple, Protocol

from ...concurrency.latch import Latch
from ..scope.call import Call

__all__ = [
    "DONE",
    "NO_LOOKUP",
    "RUN",
    "TOLERATE",
    "AfterAttempt",
    "BeforeAttempt",
    "CallPolicy",
    "Lookup",
    "Outcome",
    "OutcomePort",
    "Raise",
    "Record",
    "Return",
    "Wait",
    "WaitFor",
]


class _Decision(Enum):
    RUN = "run"
    DONE = "done"
    TOLERATE = "tolerate"
    NO_LOOKUP = "no lookup"


RUN: Final = _Decision.RUN
"""The attempt may be made, as far as this policy is concerned."""
DONE: Final = _Decision.DONE
"""The outcome stands, as far as this policy is concerned."""
TOLERATE: Final = _Decision.TOLERATE
"""The call fails, and its caller gets None."""
NO_LOOKUP: Final = _Decision.NO_LOOKUP
"""The lookup result of a policy that has looked nothing up yet."""


class Wait(NamedTuple):
    """The driver calls the policy again after so many seconds."""

    seconds: float


class WaitFor(NamedTuple):
    """The driver calls the policy again when the latch is set."""

    latch: Latch


class Lookup(NamedTuple):
    """The driver calls the policy again with the entry of its `outcomes` under the key."""

    key: Hashable


class Return(NamedTuple):
    """The call ends with this value, and nothing runs."""

    value: object


class Raise(NamedTuple):
    """The attempt fails with this error."""

    error: BaseException


class Outcome(NamedTuple):
    """The outcome of an attempt: a value, or an error."""

    value: object = None
    error: BaseException | None = None


class Record(NamedTuple):
    """The policy's `outcomes` record this before the caller of the task gets the outcome."""

    outcome: Outcome


BeforeAttempt = Literal[_Decision.RUN] | Wait | WaitFor | Lookup | Return | Raise
AfterAttempt = Literal[_Decision.DONE, _Decision.TOLERATE] | Raise | Record


class OutcomePort(Protocol):
    """A store of outcomes; each method has a blocking and an async form."""

    def look_up(self, key: Hashable) -> object:
        """The entry under a key, in the form that the policy expects."""
        ...

    async def look_up_async(self, key: Hashable) -> object:
        """The entry under a key, in the form that the policy expects."""
        ...

    def record(self, call: Call, outcome: Outcome) -> None:
        """Record the outcome of the last attempt of a call."""
        ...

    async def record_async(self, call: Call, outcome: Outcome) -> None:
        """Record the outcome of the last attempt of a call."""
        ...


class CallPolicy:
    """Decides about the attempts of a call. Drivers call the policies of a task in order before an attempt, in reverse after it."""

    outcomes: OutcomePort
    """The store that performs its `Lookup` and its `Record`."""

    def before_attempt(self, call: Call, lookup_result: object) -> BeforeAttempt:  # noqa: ARG002 - for subclasses
        """The decision before an attempt; `lookup_result` is the entry of the last `Lookup`, or `NO_LOOKUP`."""
        return RUN

    def after_attempt(self, call: Call, outcome: Outcome) -> AfterAttempt:  # noqa: ARG002 - for subclasses
        """The decision after an attempt that no retry follows."""
        return DONE
