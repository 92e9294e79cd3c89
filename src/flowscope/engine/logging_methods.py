"""The logging methods that flows and tasks share."""

import logging

from ..model.records import Artifact, Result
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

    def _log_message(self, level: int, message: str) -> None:
        run = self._live_run()
        if run is None:
            _log.log(level, "%s", message)
        else:
            run.log.add_entry(level, str(message), current.get())

    def log_debug(self, message: str) -> None:
        """Log at DEBUG. Where the flow is not running, the message goes to the standard logger "flowscope"."""
        self._log_message(logging.DEBUG, message)

    def log_info(self, message: str) -> None:
        """Log at INFO. Where the flow is not running, the message goes to the standard logger "flowscope"."""
        self._log_message(logging.INFO, message)

    def log_warning(self, message: str) -> None:
        """Log at WARNING. Where the flow is not running, the message goes to the standard logger "flowscope"."""
        self._log_message(logging.WARNING, message)

    def log_error(self, message: str) -> None:
        """Log at ERROR. Where the flow is not running, the message goes to the standard logger "flowscope"."""
        self._log_message(logging.ERROR, message)

    def _add_artifact(
        self, key: str | None, description: str | None, artifact_type: str | None, data: object
    ) -> Artifact:
        run = self._run_or_error("an artifact")
        return artifact_of(run, run.log.add_artifact(key, description, artifact_type, data, current.get()))

    def _add_result(self, key: str, description: str, value: object) -> Result:
        run = self._run_or_error("a result")
        return result_of(run, run.log.add_result(key, description, value, current.get()))
