"""The sinks of one run; errors of integrations do not reach the run."""

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final

from typing_extensions import override

from ...model.records import Progress
from ...serialization.exception_snapshot import Failure
from ...serialization.introspection import class_of
from ..ports import (
    ArtifactFact,
    FailedAttempt,
    LogLine,
    ResultFact,
    RunSink,
    RunStart,
    RunView,
    SinkFactory,
    sink_factories,
)
from ..scope.call import Call
from ..scope.context import Scope, outside

__all__ = ["Activation", "GuardedSink", "activation_of", "carried_by", "new_sinks", "received_sink"]

_log: Final = logging.getLogger("flowscope")

Activation = Callable[[Call | None], AbstractContextManager[object]]
"""Makes the context manager around the body of a call, or (None) of the flow itself."""


def new_sinks(start: RunStart) -> tuple[RunSink, ...]:
    """The sinks that integrations add to a run."""
    sinks = (_new_sink(factory, start) for factory in tuple(sink_factories))
    return tuple(sink for sink in sinks if sink is not None)


def _new_sink(factory: SinkFactory, start: RunStart) -> RunSink | None:
    try:
        sink = factory(start)
        return None if sink is None else _guarded(sink)
    except Exception as error:
        _log_failure(factory, error)
        return None


def _guarded(sink: object) -> RunSink:
    """The sink, kept from hurting a run.

    Raises:
        TypeError: It is no `RunSink`.
    """
    if not isinstance(sink, RunSink):
        found = class_of(sink).__qualname__
        raise TypeError(f"wanted a RunSink, found {found}. Return an object of a subclass of RunSink.")
    return GuardedSink(sink)


class GuardedSink(RunSink):
    """Logs the errors of another sink, once for each type of error."""

    __slots__ = ("_reported", "sink")

    def __init__(self, sink: RunSink) -> None:
        self.sink: RunSink = sink
        self._reported: set[type] = set()

    def _guard(self, notify: Callable[[], None]) -> None:
        try:
            with outside():
                notify()
        except Exception as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        if type(error) not in self._reported:
            self._reported.add(type(error))
            _log_failure(self.sink, error)

    @override
    def run_started(self, run: RunView) -> None:
        self._guard(lambda: self.sink.run_started(run))

    @override
    def task_started(self, call: Call) -> None:
        self._guard(lambda: self.sink.task_started(call))

    @override
    def attempt_failed(self, call: Call, failed_attempt: FailedAttempt) -> None:
        self._guard(lambda: self.sink.attempt_failed(call, failed_attempt))

    @override
    def progressed(self, call: Call, progress: Progress) -> None:
        self._guard(lambda: self.sink.progressed(call, progress))

    @override
    def task_revised(self, call: Call) -> None:
        self._guard(lambda: self.sink.task_revised(call))

    @override
    def task_ended(self, call: Call, failure: Failure | None) -> None:
        self._guard(lambda: self.sink.task_ended(call, failure))

    @override
    def logged(self, line: LogLine, message: object, scope: Scope | None) -> None:
        self._guard(lambda: self.sink.logged(line, message, scope))

    @override
    def artifact_added(self, artifact: ArtifactFact, scope: Scope | None) -> None:
        self._guard(lambda: self.sink.artifact_added(artifact, scope))

    @override
    def result_added(self, result: ResultFact, scope: Scope | None) -> None:
        self._guard(lambda: self.sink.result_added(result, scope))

    @override
    def run_ended(self, run: RunView, abandoned: Sequence[Call]) -> None:
        self._guard(lambda: self.sink.run_ended(run, abandoned))

    @override
    @contextmanager
    def activate(self, call: Call | None) -> Generator[None]:
        """Surround a body with the sink's context manager, whose errors do not reach the body."""
        stack = ExitStack()
        try:
            stack.enter_context(self.sink.activate(call))
        except Exception as error:
            self._report(error)
        try:
            yield
        finally:
            try:
                stack.close()
            except Exception as error:
                self._report(error)

    @override
    def carry(self) -> Mapping[str, str]:
        """The mapping that travels to a worker process; empty, where the sink fails."""
        try:
            return dict(self.sink.carry())
        except Exception as error:
            self._report(error)
            return {}


def _log_failure(source: object, error: Exception) -> None:
    with outside():
        _log.warning("%s raised %s", class_of(source).__qualname__, class_of(error).__qualname__, exc_info=error)


def activation_of(sinks: Sequence[RunSink]) -> Activation | None:
    """The activation of a run; None where no sink surrounds bodies."""
    active = [sink.activate for sink in sinks if isinstance(sink, GuardedSink) and sink.sink.activates]
    if len(active) < 2:  # noqa: PLR2004 - one needs no stack
        return active[0] if active else None

    @contextmanager
    def activate_all(call: Call | None) -> Generator[None]:
        with ExitStack() as stack:
            for activate in active:
                stack.enter_context(activate(call))
            yield

    return activate_all


def carried_by(sinks: Sequence[RunSink]) -> tuple[tuple[type[RunSink], Mapping[str, str]], ...]:
    """The classes of active sinks and their mappings, which travel with a call to a worker process."""
    return tuple(
        (type(sink.sink), sink.carry()) for sink in sinks if isinstance(sink, GuardedSink) and sink.sink.activates
    )


def received_sink(kind: type[RunSink], carried: Mapping[str, str]) -> RunSink:
    """The sink, in a worker process, of a mapping that travelled with a call; a sink that does nothing, where that fails."""
    try:
        return _guarded(kind.received(carried))
    except Exception as error:
        _log_failure(kind, error)
        return RunSink()
