"""The words of a routine graph, and what happens when a handler raises."""

from enum import IntEnum, StrEnum
from typing import ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ...engine.policies.retry import RetryPolicy
from ...model.status import RunStatus
from ...serialization.transport.import_references import ExceptionTypes

__all__ = ["FINAL", "ErrorHandler", "ErrorStrategy", "ExecutionStrategy", "TaskPriority"]

ExecutionStrategy = Literal["sequential", "concurrent"]


FINAL: Final = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT})
"""What a job remains."""


class TaskPriority(IntEnum):
    """Which job's activations go first: the lower number."""

    HIGH = 1
    NORMAL = 2
    LOW = 3


class ErrorStrategy(StrEnum):
    """What the failure of an activation means for its job."""

    STOP = "stop"
    """The job fails at once."""
    CONTINUE = "continue"
    """The routine is `error_continued`, and the job goes on."""
    RETRY = "retry"
    """The activation is tried again; when all attempts have failed, the job fails."""
    SKIP = "skip"
    """The routine is `skipped`, and the job goes on."""


class ErrorHandler(BaseModel):
    """What is done when a handler raises; of one routine, or of a whole graph."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    strategy: ErrorStrategy = ErrorStrategy.STOP
    max_retries: int = Field(default=3, ge=0)
    """Extra attempts, with the strategy RETRY."""
    retry_delay: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Seconds before the first extra attempt."""
    retry_backoff: float = Field(default=2.0, ge=0, allow_inf_nan=False)
    """The factor by which the delay grows from one extra attempt to the next."""
    retryable_exceptions: ExceptionTypes = Field(
        default_factory=lambda: (Exception,), json_schema_extra={"default": ["builtins:Exception"]}
    )
    """What is worth another attempt: classes; in JSON their names, of the form `module:qualname`."""
    is_critical: bool = False
    """Whether a failure, after the attempts there are, fails the job whatever else is said."""

    @property
    def retry(self) -> RetryPolicy:
        """When another attempt follows a failed one."""
        retries = self.max_retries if self.strategy is ErrorStrategy.RETRY else 0
        return RetryPolicy(
            retries, self.retry_delay, self.retry_backoff, retry_on=self.retryable_exceptions, excluded=()
        )

    def retries_after(self, attempt: int, error: BaseException) -> bool:
        """Whether another attempt follows the failed one."""
        return self.retry.retries_after(attempt, error)

    def pause_after(self, attempt: int) -> float:
        """Seconds to wait after a failed attempt."""
        return self.retry.delay_after(attempt)
