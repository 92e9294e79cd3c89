"""The facts of an attempt in a worker process, on their way to the process in which its flow runs."""

import threading
from collections.abc import Callable, Sequence

from typing_extensions import override

from ...engine.ports import ArtifactFact, FailedAttempt, LogLine, ResultFact, RunSink, RunView
from ...engine.run.log import error_of
from ...engine.run.run import Run
from ...engine.scope.call import Call, order_at
from ...engine.scope.context import Scope
from ...model.records import Progress
from ...serialization.exception_snapshot import Failure
from ...serialization.json.json_values import to_json_value
from .messages import Entered, Left, Message, Progressed, Retried, Revised, TurnedAsync, pack_message

__all__ = ["RelaySink"]


class RelaySink(RunSink):
    """Sends each fact as a message, from any thread; nothing after the outcome."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._ended = False
        self._lock = threading.RLock()

    def send(self, message: Message) -> None:
        """Send a message."""
        packed = pack_message(message)
        with self._lock:
            if not self._ended:
                self._send(packed)

    def end(self, outcome: bytes) -> None:
        """Send the outcome, the last message."""
        with self._lock:
            self._ended = True
            self._send(outcome)

    def turned_async(self) -> None:
        """The function has returned a coroutine of its own, with which the attempt goes on."""
        self.send(TurnedAsync())

    @override
    def task_started(self, call: Call) -> None:
        run: Run = call.handle.run
        self.send(
            Entered(
                order=call.order,
                parent=order_at(call.parent, call.handle) or 1,
                task_id=call.handle.task_id(call.order) or "",
                task_name=call.definition.name,
                tags=call.definition.tags,
                names=call.definition.positional_names,
                args=call.args,
                kwargs=dict(call.kwargs),
                executor=run.placements.get(call.order, "inline"),
                ticks=call.started,
                run_name=run.task_run_name(call),
            )
        )

    @override
    def attempt_failed(self, call: Call, failed_attempt: FailedAttempt) -> None:
        attempt, delay, failure, started, ended = failed_attempt
        self.send(Retried(call.order, attempt, delay, failure.info(), started, ended))

    @override
    def progressed(self, call: Call, progress: Progress) -> None:
        self.send(Progressed(call.order, progress.done, progress.total, progress.message))

    @override
    def task_revised(self, call: Call) -> None:
        self.send(Revised(call.order, call.definition.name, call.definition.raise_on_error))

    @override
    def task_ended(self, call: Call, failure: Failure | None) -> None:
        info = None if failure is None else failure.info()
        run: Run | None = call.handle.run
        count = None if run is None else run.yield_count(call)
        self.send(Left(call.order, call.status, call.attempt, call.value, info, call.ended, count))

    @override
    def logged(self, line: LogLine, message: object, scope: Scope | None) -> None:
        """Send a line as it was written: it is made plain where it is recorded."""
        details = line.details
        if details is not None:
            fields: dict[str, object] = to_json_value(dict(details.fields))
            details = details._replace(fields=fields, error=error_of(details))
        self.send(line._replace(message=message, details=details))

    @override
    def artifact_added(self, artifact: ArtifactFact, scope: Scope | None) -> None:
        self.send(artifact)

    @override
    def result_added(self, result: ResultFact, scope: Scope | None) -> None:
        self.send(result)

    @override
    def run_ended(self, run: RunView, abandoned: Sequence[Call]) -> None:
        for call in abandoned:
            self.task_ended(call, None)
