"""The port `CallPolicy`: decisions before and after each attempt of a call.

A policy is pure: it gets data, and answers with a decision. The drivers of `lifecycle` perform the decisions, with waits
that block a thread or an asyncio task. A task without policies asks nobody.
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
"""What a policy is told where it has looked nothing up yet."""


class Wait(NamedTuple):
    """The policy is asked again after so many seconds."""

    seconds: float


class WaitFor(NamedTuple):
    """The policy is asked again when the latch is set."""

    latch: Latch


class Lookup(NamedTuple):
    """The policy is asked again with what its `outcomes` have under the key."""

    key: Hashable


class Return(NamedTuple):
    """The call ends with this value, and nothing runs."""

    value: object


class Raise(NamedTuple):
    """The attempt fails with this error."""

    error: BaseException


class Outcome(NamedTuple):
    """How an attempt went: a value, or an error."""

    value: object = None
    error: BaseException | None = None


class Record(NamedTuple):
    """The policy's `outcomes` record this, before the caller of the task sees how it went."""

    outcome: Outcome


BeforeAttempt = Literal[_Decision.RUN] | Wait | WaitFor | Lookup | Return | Raise
AfterAttempt = Literal[_Decision.DONE, _Decision.TOLERATE] | Raise | Record


class OutcomePort(Protocol):
    """Where outcomes are recorded and found again; each method has a form that blocks and one to be awaited."""

    def look_up(self, key: Hashable) -> object:
        """What is there under a key, as the policy expects it."""
        ...

    async def look_up_async(self, key: Hashable) -> object:
        """What is there under a key, as the policy expects it."""
        ...

    def record(self, call: Call, outcome: Outcome) -> None:
        """Record how the last attempt of a call went."""
        ...

    async def record_async(self, call: Call, outcome: Outcome) -> None:
        """Record how the last attempt of a call went."""
        ...


class CallPolicy:
    """Decides about the attempts of a call; asked in the order of the task's policies, and afterwards in reverse."""

    outcomes: OutcomePort
    """What answers its `Lookup`, and performs its `Record`."""

    def before_attempt(self, call: Call, lookup_result: object) -> BeforeAttempt:  # noqa: ARG002 - for subclasses
        """What is to be done before an attempt; `lookup_result` is what the last `Lookup` found, or `NO_LOOKUP`."""
        return RUN

    def after_attempt(self, call: Call, outcome: Outcome) -> AfterAttempt:  # noqa: ARG002 - for subclasses
        """What follows an attempt that no other one follows."""
        return DONE
