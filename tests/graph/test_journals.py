"""The file of a job that is saved while it runs: what a checkpoint writes, and what is read from it."""

import threading
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from flowscope import RunStatus
from flowscope.graph import GraphError, JobState, Routine, RoutineGraph, event, slot

ACTIVATIONS = 610


class Loop(Routine):
    """Sends a number to itself, one lower each time, and looks at the file of the job before."""

    path: Path
    again = event("left")
    _sizes: list[int] = []

    @slot
    def trigger(self, left: int) -> None:
        """Go on."""
        self._sizes.append(self.path.stat().st_size)
        self.job.append_to_shared_log({"left": left, "rate": left / 3})
        if left:
            self.emit("again", left=left - 1)


class Copier(Routine):
    """Keeps the content of the file at each of its activations, and what the job is then."""

    path: Path
    again = event("left")
    _contents: list[bytes] = []
    _jobs: list[JobState] = []

    @slot
    def trigger(self, left: int) -> None:
        """Go on."""
        self._contents.append(self.path.read_bytes())
        self._jobs.append(JobState.load(self.path))
        self.job.update_shared_data("flag", True if left % 2 else 1)
        if left:
            self.emit("again", left=left - 1)


def _looped(routine: Routine) -> RoutineGraph:
    graph = RoutineGraph("journals")
    graph.add_routine(routine, "a")
    graph.connect("a", "again", "a", "trigger")
    return graph


def _copied(path: Path) -> Copier:
    routine = Copier(path=path)
    job = _looped(routine).execute("a", {"left": 4}, save_to=path, save_every=1)
    assert job.status is RunStatus.COMPLETED
    return routine


def test_a_checkpoint_writes_what_has_changed(tmp_path: Path) -> None:
    """The file grows as much by a late checkpoint as by an early one, however long the history is by then."""
    routine = Loop(path=tmp_path / "job")
    job = _looped(routine).execute("a", {"left": ACTIVATIONS}, save_to=routine.path, save_every=1)
    assert job.status is RunStatus.COMPLETED
    sizes = routine._sizes  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the test's own
    grown = [after - before for before, after in zip(sizes, sizes[1:], strict=False)]
    assert 0 < median(grown[590:610]) < 1.2 * median(grown[5:15])
    assert sum(one <= 0 or one > 2 * median(grown) for one in grown) < 20


def test_the_file_is_one_document_at_the_end(tmp_path: Path) -> None:
    """It is JSON then, and holds all that the job is."""
    routine = Loop(path=tmp_path / "job")
    job = _looped(routine).execute("a", {"left": 3}, save_to=routine.path, save_every=1)
    assert JobState.load(routine.path) == job
    assert routine.path.read_bytes().startswith(b"{")


def test_each_checkpoint_holds_exact_values(tmp_path: Path) -> None:
    """A value that becomes an equal one of another type is a change."""
    routine = _copied(tmp_path / "job")
    jobs = routine._jobs  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the test's own
    flags: list[Any] = [job.get_shared_data("flag") for job in jobs]
    assert list(map(repr, flags)) == ["None", "1", "True", "1", "True"]
    assert [job.pending_activations[0].data for job in jobs] == [{"left": left} for left in (4, 3, 2, 1, 0)]
    assert [len(job.get_execution_history()) for job in jobs] == [0, 3, 6, 9, 12]
    assert [len(job.flow_run.tasks) for job in jobs] == [0, 1, 2, 3, 4]
    assert all(job.status is RunStatus.RUNNING for job in jobs)


def test_damage_of_a_journal_is_noticed(tmp_path: Path) -> None:
    """Wherever a bit is flipped, and wherever the file is cut."""
    content = _copied(tmp_path / "job")._contents[2]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the test's own
    broken = tmp_path / "broken"
    for place in range(len(content)):
        for damaged in (content[:place], content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]):
            broken.write_bytes(damaged)
            with pytest.raises(GraphError, match=r"is not the file of a job"):
                JobState.load(broken)


def test_a_checkpoint_that_was_killed_leaves_the_one_before(tmp_path: Path) -> None:
    """At any byte: what it has appended counts from when the first line says so."""
    before, after = _copied(tmp_path / "job")._contents[2:4]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the test's own
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    whole.write_bytes(before)
    for size in range(len(before), len(after) + 1, 7):
        cut.write_bytes(before + after[len(before) : size])
        assert JobState.load(cut) == JobState.load(whole)


def test_a_file_that_others_have_replaced_is_written_anew(tmp_path: Path) -> None:
    """Nothing is appended to what is not the job's own file."""
    path = tmp_path / "job"

    class Replacing(Copier):
        @slot
        def trigger(self, left: int) -> None:
            """Put another file in the place of the job's."""
            if left == 2:  # noqa: PLR2004 - amid the job
                other = path.with_name("other")
                other.write_bytes(b"something else")
                other.replace(path)
                self.emit("again", left=1)
            else:
                super().trigger(left)

    routine = Replacing(path=path)
    job = _looped(routine).execute("a", {"left": 4}, save_to=path, save_every=1)
    assert job.status is RunStatus.COMPLETED
    assert JobState.load(path) == job


class Sender(Routine):
    """Sends a number to itself, one lower each time, prints it, and pauses the job where the test wants it."""

    pause_at: int = -1
    again = event("left")

    @slot
    def trigger(self, left: int) -> list[int]:
        """Go on."""
        print("left", left)
        if left:
            self.emit("again", left=left - 1)
        return [left]


def _calls_of(work: Callable[[], object]) -> int:
    """The number of calls of Python functions in the threads that some work starts."""
    counted = 0

    def count(_frame: object, kind: str, _argument: object) -> None:
        nonlocal counted
        counted += kind == "call"

    threading.setprofile(count)
    try:
        work()
    finally:
        threading.setprofile(None)
    return counted


@pytest.mark.parametrize("strategy", ["sequential", "concurrent"])
def test_a_checkpoint_does_not_read_the_past_again(tmp_path: Path, strategy: Any) -> None:
    """A checkpoint of a long job makes as many calls as one of a short job."""
    path = tmp_path / "job"
    calls: list[float] = []
    for length in (30, 150):
        graph = RoutineGraph("counted", execution_strategy=strategy)
        graph.add_routine(Sender(), "a")
        graph.connect("a", "again", "a", "trigger")
        calls.append(_calls_of(lambda: graph.execute("a", {"left": length}, save_to=path, save_every=1)) / length)  # noqa: B023 - called at once
        graph.shutdown()
        record = JobState.load(path).flow_run
        assert len(record.tasks) == len(record.logs) == length + 1
    assert calls[1] < 1.2 * calls[0]


def test_a_job_that_goes_on_does_not_read_its_earlier_runs_again(tmp_path: Path) -> None:
    """After a pause, a checkpoint makes as many calls as one of a job that was never paused."""
    path = tmp_path / "job"

    class Pausing(Sender):
        @slot
        def trigger(self, left: int) -> list[int]:
            """Go on, or pause."""
            if left == self.pause_at:
                graph.pause(self.job)
            return super().trigger(left)

    graph = _looped(Pausing())
    short = _calls_of(lambda: graph.execute("a", {"left": 30}, save_to=path, save_every=1))
    graph = _looped(Pausing(pause_at=30))
    assert graph.execute("a", {"left": 150}, save_to=path, save_every=1).status is RunStatus.PAUSED
    graph, job = _looped(Pausing()), JobState.load(path)
    assert _calls_of(lambda: graph.resume(job, save_to=path, save_every=1)) < 1.5 * short
    assert len(job.flow_run.tasks) == 151  # noqa: PLR2004


@pytest.mark.parametrize("option", ["max_workers", "max_history"])
def test_options_that_count_take_whole_numbers_alone(option: str) -> None:
    """Objects with `__index__` are numbers; True is none."""
    options: dict[str, Any] = {option: np.int64(3)}
    assert vars(RoutineGraph("g", **options))[option] == 3  # noqa: PLR2004
    with pytest.raises(GraphError, match=f"{option} is True, wanted a whole number"):
        RoutineGraph("g", **{option: True})  # type: ignore[arg-type]
