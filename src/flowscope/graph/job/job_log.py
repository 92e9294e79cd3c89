"""What a job has been through: its history, and how its routines did.

While handlers run, each thing that happens is one plain entry. States, measures and models are made of the entries when
somebody reads them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ..._clock import anchor, seconds, tick, wall_time
from ...serialization.error_info import ErrorInfo
from ...serialization.exception_snapshot import Failure
from ...serialization.json.fast_construct import construct_trusted
from ...serialization.secrets.redaction import run_redactor
from .job_records import ExecutionRecord, RoutineState, RoutineStatus
from .merging import Merges
from .performance import Measure

__all__ = ["LOG_FIELDS", "Entry", "JobLog", "Outcome"]

LOG_FIELDS: Final = ("current_routine_id", "execution_history", "measures", "merges", "routine_states")
"""The fields of a job that are made of its entries when they are read."""

_ITEMS: Final = 6
"""Of an entry."""
_SLACK: Final = 100
_RECORD_FIELDS: Final = set(ExecutionRecord.model_fields)
_STATE_FIELDS: Final = set(RoutineState.model_fields)


class Outcome(NamedTuple):
    """How an attempt went that did not simply complete."""

    status: RoutineStatus
    error: ErrorInfo
    retries: int
    """How many further attempts follow at once: 0 or 1."""


Entry = tuple[str, str, dict[str, Any] | None, int, RoutineStatus | Outcome | None, int]
"""Six items of the log: a routine's id, the name and data of what has happened, and its tick; then, for an activation, what the routine is from
now on, and at its end the tick of its start, else 0."""


class _Progress:
    """How the latest activation of a routine went."""

    __slots__ = ("error", "retries", "status", "tick")

    def __init__(self, before: RoutineState | None) -> None:
        self.status: RoutineStatus = "pending" if before is None else before.status
        self.error = None if before is None else before.error
        self.retries = 0 if before is None else before.retry_count
        self.tick = 0

    def take(self, status: RoutineStatus | Outcome, at: int) -> None:
        """Go on. A failure that the job has gone on after is told whatever follows, but for one that ends the job."""
        outcome = status if isinstance(status, Outcome) else None
        told: Any = status if outcome is None else outcome.status
        self.tick = at
        if outcome is not None:
            self.retries += outcome.retries
        if self.status == "error_continued" and told not in {"failed", "error_continued"}:
            return
        self.status = told
        self.error = None if outcome is None else outcome.error


class JobLog:
    """The entries of one job; used under its lock."""

    __slots__ = (
        "_anchor", "_built", "_folded", "_models", "_progress", "_redactor", "_searched", "_stale", "current", "entries",
        "limit", "measures", "merges",
    )  # fmt: skip

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._anchor = anchor()
        self.entries: list[Any] = []
        """What has happened and was not read: the items of each entry, one after the other.

        The drivers of the job add to it. A tuple for each entry would be one more object for the garbage collector.
        """
        self._folded = 0
        """How many items of the entries are in the states."""
        self._built: list[ExecutionRecord] = fields["execution_history"]
        self._models: dict[str, RoutineState] = fields["routine_states"]
        self._progress: dict[str, _Progress] = {}
        self._stale: dict[str, None] = {}
        """The routines whose models are older than their progress."""
        self.measures: dict[str, Measure] = fields["measures"]
        self.current: str | None = fields["current_routine_id"]
        """The routine that has started last."""
        self.merges: Merges = Merges(fields["merges"])
        self.limit: int | None = None
        """How many of the newest records the history keeps; None is all."""
        self._redactor = run_redactor(())
        self._searched = 0
        """How many items of the entries have been searched for secrets."""

    def mask_by(self, names: tuple[str, ...]) -> None:
        """Mask the values with these names in what is read from now on."""
        self._redactor = run_redactor(names)

    def note(self, routine_id: str, event_name: str, data: dict[str, Any]) -> None:
        """Add to the history what is no activation's."""
        self.entries += routine_id, event_name, data, tick(), None, 0

    def value_of(self, field: str) -> Any:
        """A field of the job, as of now."""
        if field == "execution_history":
            return self._history()
        self._fold()
        if field == "routine_states":
            return self._states()
        if field == "merges":
            return self.merges.states()
        return self.measures if field == "measures" else self.current

    def fit(self) -> None:
        """Drop what the history does not keep, if that has become much."""
        limit = self.limit
        if limit is not None and len(self._built) + len(self.entries) // _ITEMS > 2 * limit + _SLACK:
            self._trim(limit)

    def _trim(self, limit: int) -> None:
        self._fold()
        excess = max(0, len(self._built) + len(self.entries) // _ITEMS - limit)
        past = min(excess, len(self._built))
        del self._built[:past]
        del self.entries[: (excess - past) * _ITEMS]
        self._searched = max(0, self._searched - (excess - past) * _ITEMS)
        self._folded = len(self.entries)

    def _fold(self) -> None:
        """Bring the states up to date."""
        fresh = self.entries[self._folded :]
        self._folded += len(fresh)
        progress = self._progress
        for routine_id, event_name, _, at, status, began in _by_entry(fresh):
            if status is None:
                continue
            known = progress.get(routine_id)
            if known is None:
                known = progress[routine_id] = _Progress(self._models.get(routine_id))
            known.take(status, at)
            self._stale[routine_id] = None
            if began:
                self._measure(routine_id).add(seconds(began, at), failed=isinstance(status, Outcome))
            elif event_name == "start":
                self.current = routine_id

    def _measure(self, routine_id: str) -> Measure:
        measure = self.measures.get(routine_id)
        if measure is None:
            measure = self.measures[routine_id] = Measure()
        return measure

    def _states(self) -> dict[str, RoutineState]:
        for routine_id in self._stale:
            known = self._progress[routine_id]
            self._models[routine_id] = construct_trusted(
                RoutineState,
                _STATE_FIELDS,
                status=known.status,
                error=known.error,
                retry_count=known.retries,
                updated_at=wall_time(known.tick, self._anchor),
            )
        self._stale.clear()
        return self._models

    def _history(self) -> list[ExecutionRecord]:
        self._fold()
        if self.limit is not None:
            self._trim(self.limit)
        redactor = self._redactor
        known = len(redactor.secrets or ())
        before = len(self._built)
        for routine_id, event_name, data, at, _, _ in _by_entry(self.entries):
            record = construct_trusted(
                ExecutionRecord,
                _RECORD_FIELDS,
                routine_id=routine_id,
                event_name=event_name,
                data=redactor.mask(data) if data else {},
                timestamp=wall_time(at, self._anchor),
            )
            self._built.append(record)
        self.entries.clear()
        self._folded = self._searched = 0
        self._mask_known(0 if len(redactor.secrets or ()) > known else before)
        return self._built

    def _mask_known(self, start: int) -> None:
        """Mask the known secrets in the records from a number on, and in the errors of the routines."""
        redactor = self._redactor
        if redactor.secrets is None:
            return
        for number, record in enumerate(self._built[start:], start):
            data = redactor.mask_known(record.data)
            if data is not record.data:
                self._built[number] = record.model_copy(update={"data": data})
        states: list[_Progress | RoutineState] = [*self._progress.values(), *self._models.values()]
        for state in states:
            if state.error is not None:
                state.error = redactor.mask_error(state.error)

    def error_info(self, error: BaseException) -> ErrorInfo:
        """The record of an exception, without the secrets that it and the messages so far have shown."""
        fresh = self.entries[self._searched + 2 :: _ITEMS]
        self._searched = len(self.entries)
        for data in fresh:
            if data:
                self._redactor.mask(data)
        return self._redactor.mask_error(Failure(error, redactor=self._redactor).info())

    def mark(self) -> tuple[int, Merges]:
        """Where the job is, for `back_to`."""
        return len(self.entries), self.merges.copy()

    def back_to(self, mark: tuple[int, Merges]) -> None:
        """Forget what has happened since then, nothing of which was read."""
        count, self.merges = mark
        del self.entries[count:]
        self._folded, self._searched = min(self._folded, count), min(self._searched, count)


def _by_entry(items: list[Any]) -> Iterable[Entry]:
    rest = iter(items)
    return zip(rest, rest, rest, rest, rest, rest, strict=True)
