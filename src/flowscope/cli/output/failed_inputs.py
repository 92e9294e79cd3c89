"""The inputs of the tasks, and of the nested flows, that fail."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from typing_extensions import override

from ...engine.ports import RunSink, RunStart, RunView, sink_factories
from ...engine.scope.call import Call
from ...model.status import FAILED
from ...serialization.exception_snapshot import Failure
from ...serialization.secrets.masked_payloads import json_of_args, json_of_mapping
from ...serialization.secrets.redaction import redactor_for
from .progress import Progress
from .text import inputs_text

__all__ = ["failed_inputs_are_kept"]


@contextmanager
def failed_inputs_are_kept(progress: Progress) -> Generator[None, None, None]:
    """A block in which `progress` gets the inputs of the failed calls that it keeps."""

    def new_sink(start: RunStart) -> RunSink | None:
        return _FailedInputs(start, progress) if start.config.record_inputs else None

    sink_factories.append(new_sink)
    try:
        yield
    finally:
        sink_factories.remove(new_sink)


class _FailedInputs(RunSink):
    """Reads the inputs of the failed calls of one run, masked as its record masks them."""

    def __init__(self, start: RunStart, progress: Progress) -> None:
        self._progress = progress
        self._redactor = redactor_for(start.config.redact)
        self._keeps_calls = start.config.add_task_to_self

    @override
    def task_ended(self, call: Call, failure: Failure | None) -> None:
        run_id = call.handle.task_id(call.order)
        if not self._keeps_calls or call.status not in FAILED or run_id is None or not self._progress.misses(run_id):
            return
        args = json_of_args(self._redactor, call.definition.positional_names, call.args)
        self._progress.add_inputs(run_id, inputs_text(args, json_of_mapping(self._redactor, call.kwargs)))

    @override
    def run_ended(self, run: RunView, abandoned: Sequence[Call]) -> None:
        run_id = run.handle.flow_id
        if run.status in FAILED and self._progress.misses(run_id):
            self._progress.add_inputs(run_id, inputs_text((), json_of_mapping(self._redactor, run.params)))
