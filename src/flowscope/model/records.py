"""The record of a run, which `flow.flow_run` returns and frontends read as JSON."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    SerializeAsAny,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapSerializer,
    WrapValidator,
)
from pydantic_core import CoreSchema, core_schema, to_json
from typing_extensions import TypeVar

from ..serialization.error_info import ErrorInfo
from ..serialization.introspection import INTERRUPTIONS
from ..serialization.json.json_values import to_json_value
from ..serialization.json.recorded_field import RECORDED
from .config import FlowConfig
from .event_fold import folded
from .events import FlowEvent
from .failed_runs import failed_runs_of
from .status import RunStatus

__all__ = [
    "Artifact",
    "AttemptFailure",
    "Dropped",
    "FlowRun",
    "LogEntry",
    "LogSource",
    "Progress",
    "Recordable",
    "Result",
    "TaskRun",
]

R = TypeVar("R", default=Any)

LogSource = Literal["log", "stdout", "stderr", "logging"]


class _AsText:
    """Annotates an enumeration of texts: it is written as its own text, without an access to `value`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = dict(handler(source))
        schema["serialization"] = core_schema.simple_ser_schema("str")
        return cast("CoreSchema", schema)


_AS_TEXT = _AsText()

_LATE = ConfigDict(defer_build=True)


class LogEntry(BaseModel, frozen=True):
    """One logged or printed entry."""

    model_config: ClassVar[ConfigDict] = _LATE

    timestamp: datetime
    """Aware, in UTC."""
    level: str
    """The level's name, such as "INFO"."""
    level_number: int
    """The level as the standard `logging` module numbers it."""
    message: str
    """Plain text, without control sequences and, but for tabs and newlines, control characters."""
    logger: str
    """The name of the logger; "flowscope" for the flow's own log."""
    source: LogSource
    task_id: str | None = None
    """The running task; None outside tasks."""
    fields: Annotated[dict[str, Any], RECORDED] = {}
    """The values that were given beside the text: the keywords of `log_info`, the `extra` of a standard record."""
    path: str | None = None
    """The file of the code that logged it; None for prints and for the library's own entries."""
    line: int | None = None
    """The number of the line in that file."""
    error: ErrorInfo | None = None
    """The exception that was logged with it, as `logger.exception()` does."""


class Artifact(BaseModel, frozen=True):
    """An artifact of a run."""

    model_config: ClassVar[ConfigDict] = _LATE

    key: str | None = None
    description: str | None = None
    artifact_type: str | None = None
    data: Annotated[Any, RECORDED] = None
    timestamp: datetime
    """Aware, in UTC."""
    task_id: str | None = None
    """The running task; None outside tasks."""


class Result(BaseModel, frozen=True):
    """A named result of a run."""

    model_config: ClassVar[ConfigDict] = _LATE

    key: str
    description: str = ""
    value: Annotated[Any, RECORDED] = None
    timestamp: datetime
    """Aware, in UTC."""
    task_id: str | None = None
    """The running task; None outside tasks."""


class AttemptFailure(BaseModel, frozen=True):
    """A failed attempt of a task."""

    model_config: ClassVar[ConfigDict] = _LATE

    attempt: int
    """1 for the first."""
    start_time: datetime
    """Aware, in UTC; of a further attempt, the time for which it was planned."""
    end_time: datetime
    """Aware, in UTC."""
    error: ErrorInfo


class Progress(BaseModel, frozen=True):
    """The progress of a task, as it has reported it last."""

    model_config: ClassVar[ConfigDict] = _LATE

    done: float
    """How much is done, in units of the task's own."""
    total: float | None = None
    """How much there is to do, in the same units; None if that is unknown."""
    message: str = ""


class TaskRun(BaseModel, frozen=True):
    """One call of a task."""

    model_config: ClassVar[ConfigDict] = _LATE

    task_id: str
    task_name: str
    run_name: str | None = None
    """The name of this call, if the task has the option `run_name`."""
    parent_task_id: str | None = None
    """The task that called it; None for a call of the flow's own function."""
    execution_order: int
    """1 for the first task that was called or submitted in the flow."""
    status: Annotated[RunStatus, _AS_TEXT]
    start_time: datetime
    """Aware, in UTC. A submitted task that waits has the time of its submission."""
    end_time: datetime | None = None
    """Aware, in UTC; None while running."""
    duration: float
    """In seconds of the monotonic clock; until now, while running."""
    attempts: int = 1
    """The number of its attempts."""
    input_args: Annotated[list[Any], RECORDED] = []
    """The positional arguments, without `self` and without injected values."""
    input_kwargs: Annotated[dict[str, Any], RECORDED] = {}
    """The keyword arguments, without injected values."""
    return_value: Annotated[Any, RECORDED] = None
    error: ErrorInfo | None = None
    executor: str = "inline"
    """`inline` for a direct call, else the name of its executor, such as `asyncio`, `thread`, `process`."""
    abandoned_thread: str | None = None
    """The thread that was abandoned at the deadline or at a cancellation, while it still runs."""
    tags: tuple[str, ...] = ()
    failed_attempts: list[AttemptFailure] = []
    """The failed attempts, the last one included, in their order."""
    yield_count: int | None = None
    """The number of items of a generator that has ended; None for other tasks."""
    progress: Progress | None = None
    """The last progress; None if the task has reported none."""


class Dropped(BaseModel, frozen=True):
    """The number of dropped records, because of `add_task_to_self`, `max_logs` and `max_events`."""

    model_config: ClassVar[ConfigDict] = _LATE

    tasks: int = 0
    logs: int = 0
    events: int = 0


class _RecordedConfig(FlowConfig):
    """A config read back from JSON whose own class, with fields that `FlowConfig` lacks, is unknown."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", title="FlowConfig")


def _read_config(value: object, handler: ValidatorFunctionWrapHandler) -> FlowConfig:
    try:
        config: FlowConfig = handler(value)
    except ValidationError as error:
        if any(problem["type"] != "extra_forbidden" for problem in error.errors()):
            raise
        return _RecordedConfig.model_validate(value)
    return config


def _write_config(config: FlowConfig, handler: Callable[[FlowConfig], Any]) -> Any:
    try:
        return handler(config)
    except INTERRUPTIONS:
        raise
    except BaseException:  # a subclass may have fields of any value, and a panic is no Exception
        return to_json_value(config)


def config_json(config: FlowConfig) -> Any:
    """The JSON of a config, as records show it."""
    return _write_config(config, lambda written: written.model_dump(mode="json"))


_CONFIG_WRITER = WrapSerializer(lambda config, handler: _write_config(config, handler))  # noqa: PLW0108 - the return type of the function itself would stand for the config in the JSON schema


class Recordable:
    """A live object that Pydantic validates as its record."""

    __slots__ = ()

    def __flow_run__(self) -> "FlowRun[Any]":
        """The record.

        Raises:
            ValueError: The flow has not been executed.
        """
        raise NotImplementedError


def _record_of(value: object) -> object:
    return value.__flow_run__() if isinstance(value, Recordable) else value


class FlowRun(BaseModel, Generic[R], frozen=True):
    """The record of one run of a flow.

    A flow that is validated as one, as the answer of a FastAPI handler is, is its `flow_run`. It loads back from its own JSON. Users' values are references to the live objects until they are serialised.
    """

    model_config: ClassVar[ConfigDict] = _LATE

    schema_version: Literal[1] = 1
    flow_id: str
    flow_name: str
    run_name: str | None = None
    """The name of this run, if the flow has the option `run_name`."""
    description: str | None = None
    """The flow's option `description`, else the first line of its function's docstring."""
    parent_flow_id: str | None = None
    """The flow inside which this one was executed."""
    parent_task_id: str | None = None
    """The task of that flow in which it was executed; None for the flow's own function."""
    status: Annotated[RunStatus, _AS_TEXT]
    start_time: datetime | None = None
    """Aware, in UTC; None before the execution."""
    end_time: datetime | None = None
    """Aware, in UTC; None until the end."""
    duration: float = 0.0
    """In seconds of the monotonic clock; until now, while running."""
    config: Annotated[SerializeAsAny[FlowConfig], WrapValidator(_read_config), _CONFIG_WRITER] = Field(
        default_factory=FlowConfig
    )
    params: Annotated[dict[str, Any], RECORDED] = {}
    """The flow function's arguments by name, or the fields of a subclass of `Flow`."""
    run_params: Annotated[dict[str, Any], RECORDED] = {}
    """The parameters of `execute_flow`."""
    return_value: Annotated[R | None, RECORDED] = None
    error: ErrorInfo | None = None
    tasks: list[TaskRun] = []
    """In the order of their start."""
    logs: list[LogEntry] = []
    events: list[FlowEvent] = []
    """Filled if `capture_events` is set."""
    artifacts: list[Artifact] = []
    results: list[Result] = []
    tags: tuple[str, ...] = ()
    dropped: Dropped = Field(default_factory=Dropped)

    @classmethod
    def from_error(cls, error: BaseException) -> "FlowRun[Any] | None":
        """The record of the run that has ended with an exception.

        If several nested flows have ended with it, the record is that of the outermost one. The members of an exception
        group and the causes of the exception (`raise ... from ...`) are searched as well. The exception holds nothing of
        the flow: the record is there as long as the flow lives, and not for an exception that was pickled.

        Args:
            error: An exception that a flow has raised.

        Returns:
            The record; None if no flow in this process has ended with it, or if the flow is gone.
        """
        return next((cast("FlowRun[Any]", flow.flow_run) for flow in failed_runs_of(error)), None)

    @classmethod
    def from_events(cls, events: Iterable[FlowEvent]) -> Self:
        """The record that the events of a run tell: as JSON it equals the run's own record.

        The first events give the record as of the last of them, with durations until then. The record's `events` are no part
        of it. Values are those of the moment of each event, and a submitted task appears when it starts.

        Args:
            events: All events of one run from its first one, `flow_start`, or the first of them, in the order of their
                `sequence`; as listeners receive them, or as read from JSON.

        Raises:
            ValueError: There are no events, the first one is no `flow_start`, one is missing between others, or they belong to
                several runs.
        """
        return cls.model_validate_json(to_json(folded(events)))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate a flow as its record, in Python mode alone."""
        schema: Any = dict(handler.resolve_ref_schema(handler(source)))
        ref = schema.pop("ref", None)
        python_schema = core_schema.no_info_before_validator_function(_record_of, schema)
        # With its reference the schema stays one definition in OpenAPI.
        return core_schema.json_or_python_schema(json_schema=schema, python_schema=python_schema, ref=ref)
