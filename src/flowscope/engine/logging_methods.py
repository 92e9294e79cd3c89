"""The logging methods that flows and tasks share."""

import logging
import sys

from ..model.records import Artifact, Result
from .ports import LogDetails
from .run.cancellation import interrupt
from .run.record_builder import artifact_of, result_of
from .run.run import Run
from .scope.context import current, no_active_flow

__all__ = ["LoggingMethods"]

_log = logging.getLogger("flowscope")


class LoggingMethods:
    """The logging methods that flows and tasks share."""

    __slots__ = ()

    def _live_run(self) -> Run | None:
        """The run, while it is running."""
        raise NotImplementedError

    def _run_or_error(self, wanted: str) -> Run:
        run = self._live_run()
        if run is None:
            raise no_active_flow(wanted, None)
        return run

    def _log_message(self, level: int, message: str, fields: dict[str, object]) -> None:
        run = self._live_run()
        if run is None:
            _log.log(level, "%s", message, extra=_extra(fields), stacklevel=3)
            return
        if level >= run.log.threshold:
            caller = sys._getframe(2)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the documented way to the caller
            details = LogDetails(fields, caller.f_code.co_filename, caller.f_lineno, None)
            run.log.add_entry(level, str(message), current.get(), details=details)
        interrupt(run)

    def log_debug(self, message: str, /, **fields: object) -> None:
        """Log at DEBUG. Where the flow is not running, the message goes to the standard logger "flowscope".

        Args:
            message: The text.
            **fields: Values beside the text; `fields` of the log entry.
        """
        self._log_message(logging.DEBUG, message, fields)

    def log_info(self, message: str, /, **fields: object) -> None:
        """Log at INFO. Where the flow is not running, the message goes to the standard logger "flowscope".

        Args:
            message: The text.
            **fields: Values beside the text; `fields` of the log entry.
        """
        self._log_message(logging.INFO, message, fields)

    def log_warning(self, message: str, /, **fields: object) -> None:
        """Log at WARNING. Where the flow is not running, the message goes to the standard logger "flowscope".

        Args:
            message: The text.
            **fields: Values beside the text; `fields` of the log entry.
        """
        self._log_message(logging.WARNING, message, fields)

    def log_error(self, message: str, /, **fields: object) -> None:
        """Log at ERROR. Where the flow is not running, the message goes to the standard logger "flowscope".

        Args:
            message: The text.
            **fields: Values beside the text; `fields` of the log entry.
        """
        self._log_message(logging.ERROR, message, fields)

    def _add_artifact(
        self, key: str | None, description: str | None, artifact_type: str | None, data: object
    ) -> Artifact:
        run = self._run_or_error("an artifact")
        return artifact_of(run, run.log.add_artifact(key, description, artifact_type, data, current.get()))

    def _add_result(self, key: str, description: str, value: object) -> Result:
        run = self._run_or_error("a result")
        return result_of(run, run.log.add_result(key, description, value, current.get()))


def _extra(fields: dict[str, object]) -> dict[str, object]:
    """The fields that a standard record may have."""
    reserved = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
    return {name: value for name, value in fields.items() if name not in reserved}
