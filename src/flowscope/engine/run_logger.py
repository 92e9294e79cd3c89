"""A standard logger for the running flow."""

import logging
from collections.abc import MutableMapping
from typing import Any, Final

from typing_extensions import override

from .capture.logging_hook import details_of, handed_on, message_of
from .run.run import Run
from .scope.context import current, no_active_flow

__all__ = ["get_run_logger"]

_LOGGER: Final = logging.getLogger("flowscope.run")


def get_run_logger() -> "logging.LoggerAdapter[logging.Logger]":
    """A logger, with all methods of `logging`, for the running flow and its tasks.

    An entry of it is in the log of the run from `FlowConfig.log_level` on, whatever the level of the standard logger
    "flowscope.run". Standard handlers get it as well, if that logger's level lets it through. The logger may be used
    wherever the flow runs; where no flow is running, standard handlers alone get its entries.

    Raises:
        NoActiveFlowError: No flow is running here.
    """
    scope = current.get()
    if scope is None or scope.handle.ensure_run() is None:
        raise no_active_flow("get_run_logger()", scope)
    return _ADAPTER


class _RunLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs into the running flow, and passes records on to the standard handlers."""

    @override
    def isEnabledFor(self, level: int) -> bool:
        """Whether the running flow records entries of that level, or the standard logger does."""
        run = _present_run()
        return (run is not None and level >= run.log.threshold) or super().isEnabledFor(level)

    @override
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """The message and its options as they are."""
        return msg, kwargs

    @override
    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log at a level, such as `logging.INFO`; the other methods call this one."""
        if self.isEnabledFor(level):
            kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
            _RECORDER.log(level, msg, *args, **kwargs)


class _Recorder(logging.Logger):
    """Makes the standard records."""

    @override
    def handle(self, record: logging.LogRecord) -> None:
        """Record it in the running flow, and pass it on."""
        scope, run = current.get(), _present_run()
        if run is not None and record.levelno >= run.log.threshold:
            run.log.add_entry(
                record.levelno, message_of(record), scope, "log", record.name, details=details_of(record, run)
            )
        if _LOGGER.isEnabledFor(record.levelno):
            with handed_on(record):
                _LOGGER.handle(record)


def _present_run() -> Run | None:
    scope = current.get()
    run: Run | None = None if scope is None else scope.handle.run or scope.handle.ensure_run()
    return run


_RECORDER: Final = _Recorder(_LOGGER.name, logging.NOTSET + 1)
_ADAPTER: Final = _RunLogger(_LOGGER, {})
