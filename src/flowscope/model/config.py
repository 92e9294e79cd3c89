"""The configuration of a flow: capture, storage and output."""

from functools import cache
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..serialization.secrets.secret_names import DEFAULT_REDACTED

__all__ = ["FlowConfig", "LogLevel", "default_config", "set_default_config"]

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class FlowConfig(BaseModel):
    """The configuration of a flow; frozen, so that many flows may share it.

    A subclass may change defaults, add fields and define `custom_setup`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    add_task_to_self: bool = True
    """Keep every task. False: tasks are counted and timed by name, not kept, in constant memory."""
    log_to_console: bool = False
    """Also write log entries and captured prints to the real standard output and error."""
    log_to_memory: bool = True
    """Keep log entries. False: message events still flow."""
    logging_enabled: bool = True
    """Log. False: a flow captures nothing and makes no messages."""
    log_level: LogLevel = "DEBUG"
    """The lowest level that is recorded."""
    print_logs: bool = False
    """Print the whole log once, when the flow has ended."""
    print_none_return_value: bool = False
    """Log a return value of None as well."""
    print_finished_message: bool = False
    """Log a message when a task or the flow has ended."""
    print_error_stack_trace: bool = False
    """Log the traceback of an error as well."""
    raise_flow_error: bool = True
    """Re-raise the exception of a failed flow. False: it is only kept as `flow_error`."""
    capture_events: bool = False
    """Keep the flow's events in its record."""
    capture_stdout: bool = True
    """Record the text written to `sys.stdout` and `sys.stderr`."""
    capture_logging: bool = True
    """Record the records of the standard `logging` module."""
    record_inputs: bool = True
    """Keep the arguments of the flow and of its tasks."""
    record_return_values: bool = True
    """Keep the return values of the flow and of its tasks."""
    max_logs: int | None = Field(default=None, ge=0)
    """The number of newest log entries to keep; None keeps all."""
    max_events: int | None = Field(default=None, ge=0)
    """The number of newest events to keep; None keeps all."""
    redact: tuple[str, ...] = DEFAULT_REDACTED
    """The words that make the name of an argument, mapping key or model field one of a secret, which records mask.

    Case, `-` and `_` make no difference, and plurals count as well, but for `tokens`.
    """

    @classmethod
    @cache
    def default(cls) -> Self:
        """The config with all defaults, the same object at each call."""
        return cls()

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    def custom_setup(self, flow: Any) -> None:
        """A hook for subclasses, called at the end of `flow.setup()`. `setup` raises its errors."""


_process_default: list[FlowConfig] = []
"""The config of flows without one of their own, if it has been set."""


def set_default_config(config: FlowConfig | None) -> None:
    """Set the config of all flows that are made from now on without a `flow_config`, in this process.

    It holds whenever their functions were decorated. A `flow_config` replaces it whole.

    Args:
        config: The config; None restores `FlowConfig()`.

    Raises:
        TypeError: It is no `FlowConfig`.
    """
    if config is not None and not isinstance(config, FlowConfig):  # pyright: ignore[reportUnnecessaryIsInstance] # for those who do not check types
        raise TypeError(f"set_default_config() got a {type(config).__qualname__}, wanted a FlowConfig or None")
    _process_default[:] = [] if config is None else [config]


def default_config() -> FlowConfig:
    """The config of flows without one of their own."""
    return _process_default[0] if _process_default else FlowConfig.default()
