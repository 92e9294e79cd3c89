"""What a graph and its jobs leave behind, show and accept when something is amiss."""

import asyncio
import gc
import stat
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from flowscope import RunStatus
from flowscope.graph import ConditionalRouter, ErrorHandler, Filter, GraphError, JobState, Routine, RoutineGraph
from support.graph.condition_results import sent_by
from support.graph.routines import BOUND, AsyncGate, Counter, Source, called, graph_of

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes, links and signals")
SECRET = "s3cr3t-VALUE"


def _threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("flowscope-graph")]


@pytest.mark.parametrize("strategy", ["sequential", "concurrent"])
@pytest.mark.parametrize("keeps_job", [True, False])
def test_a_graph_that_nobody_holds_leaves_no_thread(strategy: Any, keeps_job: bool) -> None:
    """They leave at once, also if its job is kept."""
    before = set(_threads())
    jobs = [graph_of(called(lambda: None)).execute("a", execution_strategy=strategy) for _ in range(5)]
    assert all(job.status is RunStatus.COMPLETED for job in jobs)
    if not keeps_job:
        jobs.clear()
    gc.collect()
    for thread in set(_threads()) - before:
        thread.join(BOUND)
        assert not thread.is_alive()


def test_another_width_leaves_no_thread_of_the_former() -> None:
    """Nor does it take any from jobs that run."""
    graph = graph_of(called(lambda: None))
    graph.execute("a", execution_strategy="concurrent")
    former = set(_threads())
    graph.set_execution_strategy("concurrent", 2)
    graph.execute("a")
    graph.shutdown()
    for thread in former:
        thread.join(BOUND)
        assert not thread.is_alive()


def test_secrets_are_masked_in_the_history() -> None:
    """By the names that the graph's config masks; what is resumed from has them as they are."""

    def handler(password: str, user: str) -> None: ...

    with graph_of(called(handler)) as graph:
        job = graph.execute("a", {"password": SECRET, "user": "ada"})
        kept = JobState(flow_id="g")
        kept.add_deferred_event("a", "out", {"password": SECRET})
    assert SECRET not in job.model_dump_json()
    assert "ada" in job.execution_history[0].model_dump_json()
    assert SECRET in kept.model_dump_json()


def test_known_secrets_are_masked_in_histories_errors_and_records() -> None:
    """In later messages, emitted data, the errors of routines and of the job, and the record, by what they are."""

    def handler(password: str, note: str) -> None:
        print(f"with {password}")
        raise ValueError(f"no {password} of {note}", {"token": SECRET[::-1]})

    with graph_of(called(handler)) as graph:
        job = graph.execute("a", {"password": SECRET, "note": f"see {SECRET}, postgres://ada:pw1@host"})
    assert job.status is RunStatus.FAILED
    for text in (job.model_dump_json(exclude={"pending_activations"}), job.flow_run.model_dump_json()):
        assert SECRET not in text
        assert SECRET[::-1] not in text
        assert "pw1" not in text
        assert "ada:**********@host" in text


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_the_history_keeps_the_newest(limit: int) -> None:
    """States, numbers and the record are of all."""
    with graph_of(Source(count=300), Counter(), max_history=limit) as graph:
        assert RoutineGraph.deserialize(graph.serialize()).max_history == limit
        job = graph.execute("a")
        assert len(job.execution_history) == limit
        performance = job.performance("b")
        assert performance is not None
        assert performance.completed == 300
        assert job.routine_states["a"].status == "completed"
        assert len(job.flow_run.tasks) == 301
        if limit:
            assert job.execution_history[-1].event_name == "completed"
    with pytest.raises(GraphError, match="max_history"):
        RoutineGraph(max_history=-1)


@pytest.mark.parametrize("strategy", ["sequential", "concurrent"])
def test_a_dropped_job_is_freed_without_the_collector(strategy: Any) -> None:
    """Nothing that a job without failures keeps leads back to it, so jobs do not pile up between two collections."""
    with graph_of(called(lambda: None)) as graph:
        graph.execute("a", execution_strategy=strategy)
        gc.collect()
        gc.disable()
        try:
            freed = threading.Event()
            job = graph.execute("a", execution_strategy=strategy)
            assert len(job.flow_run.tasks) == len(job.execution_history) / 2 == 1
            weakref.finalize(job, freed.set)
            del job
            graph.execute("a", execution_strategy=strategy)  # the graph keeps its latest job
            assert freed.wait(BOUND)
        finally:
            gc.enable()


def _file_of_a_job(path: Path) -> Path:
    job = JobState(flow_id="g")
    job.update_shared_data("text", "abcdefgh")
    return job.save(path)


def test_damage_of_a_file_is_noticed(tmp_path: Path) -> None:
    """Wherever a bit is flipped, and wherever the file is cut."""
    path, broken = _file_of_a_job(tmp_path / "job"), tmp_path / "broken"
    raw = path.read_bytes()
    assert JobState.load(path).get_shared_data("text") == "abcdefgh"
    for place in range(len(raw)):
        for damaged in (raw[:place], raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]):
            broken.write_bytes(damaged)
            with pytest.raises(GraphError, match=r"is not the file of a job"):
                JobState.load(broken)


def test_a_file_without_a_checksum_is_read() -> None:
    """One of an earlier version, or written by hand; and JSON of a job has none."""
    job = JobState(flow_id="g")
    assert "checksum" not in job.model_dump()
    assert "checksum" not in job.model_dump_json()


@POSIX
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    """Also one that nobody may write to: it is replaced."""
    path = _file_of_a_job(tmp_path / "job")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(mode)
    _file_of_a_job(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@POSIX
def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    """In another folder, through another link, or before there is one."""
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far" / "other")
    (tmp_path / "far" / "other").symlink_to("job")
    for _ in range(2):
        _file_of_a_job(tmp_path / "near")
        assert (tmp_path / "near").is_symlink()
        assert (tmp_path / "far" / "other").is_symlink()
        assert JobState.load(tmp_path / "far" / "job").flow_id == "g"
    assert sorted(one.name for one in (tmp_path / "far").iterdir()) == ["job", "other"]


_KILLED = """
import os, signal, sys
from flowscope.graph import JobState
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
JobState(flow_id="g").save(sys.argv[1])
"""


@POSIX
@pytest.mark.parametrize("name", ["job.json", "j" * 250])
def test_what_a_killed_save_leaves_goes_with_the_next(tmp_path: Path, name: str) -> None:
    """It is known by its name, and nothing else goes: no other file, nor what is being written just now."""
    other = tmp_path / f".{name[:90]}.0123456789abcdef.mine"
    other.write_text("mine")
    for _ in range(2):
        subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path / name)], check=False, timeout=BOUND)
    left = [one for one in tmp_path.iterdir() if one.name.endswith(".flowscope-save")]
    assert len(left) == 2
    _file_of_a_job(tmp_path / name)
    assert set(tmp_path.iterdir()) == {tmp_path / name, other}


@POSIX
def test_many_saves_of_one_file_at_once_do_not_remove_one_another(tmp_path: Path) -> None:
    """Each is whole, and none fails."""
    errors: list[BaseException] = []

    def save() -> None:
        try:
            for _ in range(20):
                _file_of_a_job(tmp_path / "job")
        except BaseException as error:  # noqa: BLE001 - told by the test
            errors.append(error)

    threads = [threading.Thread(target=save) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert errors == []
    assert [one.name for one in tmp_path.iterdir()] == ["job"]


def _waiting(gate: AsyncGate) -> Routine:
    async def handler() -> None:
        await gate.pass_through()

    return called(handler)


@pytest.mark.parametrize("how", ["cancel", "timeout", "shutdown"])
def test_an_async_handler_that_is_cancelled_with_its_job_is_recorded_as_that(how: str) -> None:
    """However the job ends under it."""
    gate = AsyncGate()
    with graph_of(_waiting(gate)) as graph:
        job = graph.start("a", timeout=0.2 if how == "timeout" else None)
        if how != "timeout":
            gate.wait_entered()
        if how == "shutdown":
            graph.shutdown(wait=False)
        elif how != "timeout":
            graph.cancel(job)
        assert graph.wait_for_completion(job, BOUND)
    [task] = job.flow_run.tasks
    assert task.status is RunStatus.CANCELLED


def test_an_async_handler_that_takes_its_time_to_end_is_cancelled_too() -> None:
    """The record is that of the end of the job, and does not wait."""
    ends = AsyncGate()
    begins = AsyncGate()

    async def handler() -> None:
        try:
            await begins.pass_through()
        finally:
            await ends.pass_through()

    with graph_of(called(handler)) as graph:
        job = graph.start("a")
        begins.wait_entered()
        graph.cancel(job)
        assert graph.wait_for_completion(job, BOUND)
        [task] = job.flow_run.tasks
        assert task.status is RunStatus.CANCELLED
        ends.open()


async def test_one_in_the_callers_loop_is_cancelled_too() -> None:
    """By the deadline of the job."""
    job = await graph_of(_waiting(AsyncGate())).execute_async("a", timeout=0.05)
    assert job.status is RunStatus.TIMED_OUT
    await asyncio.sleep(0)
    assert [task.status for task in job.flow_run.tasks] == [RunStatus.CANCELLED]


def is_high(value: int) -> bool:
    """A predicate that a spec can name."""
    return value > 3


async def later(value: int) -> bool:
    """No predicate: nobody awaits it."""
    return bool(value)


def test_a_field_may_be_asked_by_a_predicate() -> None:
    """Beside values; one that raises fails the activation, and a class is a value."""
    router = ConditionalRouter(routes=[("high", {"priority": is_high, "kind": "a"})])
    assert [name for name, _ in sent_by(router, {"priority": 5, "kind": "a"})] == ["high"]
    assert sent_by(router, {"priority": 1, "kind": "a"}) == sent_by(router, {"kind": "a"}) == []
    assert [name for name, _ in sent_by(Filter(condition={"kind": int}), {"kind": int})] == ["passed"]
    assert Filter(condition={"a": is_high}).condition == {"a": is_high}
    with pytest.raises(ValueError, match="async"):
        Filter(condition={"a": later})
    made = RoutineGraph("g")
    made.add_routine(router, "r")
    again = RoutineGraph.deserialize(made.serialize().model_dump_json())
    found = again.routine("r")
    assert isinstance(found, ConditionalRouter)
    assert found.routes[0][1] == {"priority": is_high, "kind": "a"}


def _filter_of(name: str) -> dict[str, Any]:
    return {
        "flow_id": "g",
        "routines": [{"id": "a", "type": "flowscope.graph:Filter", "config": {"condition": name}}],
    }


@pytest.mark.parametrize(
    "name",
    ["os:system", "subprocess:call", "builtins:eval", "builtins:exec", "antigravity:geohash", "wsgiref.util:guess_scheme",
     f"{__name__}:subprocess.call", f"{__name__}:subprocess"],
)  # fmt: skip
def test_a_spec_cannot_name_any_callable_of_the_interpreter(name: str) -> None:
    """Not even through a module that uses it, and nothing is imported to find out."""
    before = set(sys.modules)
    with pytest.raises(GraphError, match="may come from"):
        RoutineGraph.deserialize(_filter_of(name))
    assert set(sys.modules) == before


def test_a_spec_may_name_what_is_allowed_alone() -> None:
    """A package with its modules, the stock routines, and exceptions of the standard library."""
    own = f"{__name__}:is_high"
    for allowed in (None, [__name__], [__name__.partition(".")[0]]):
        found = RoutineGraph.deserialize(_filter_of(own), modules=allowed).routine("a")
        assert dict(found) == {"condition": is_high}
    for modules in ([], ["pydantic"], [__name__[:-1]]):
        with pytest.raises(GraphError, match="may come from"):
            RoutineGraph.deserialize(_filter_of(own), modules=modules)
    handler = ErrorHandler(retryable_exceptions=(OSError, asyncio.TimeoutError))
    spec = {**_filter_of("data"), "error_handler": handler.model_dump(mode="json")}
    assert RoutineGraph.deserialize(spec, modules=[]).error_handler == handler
    for wrong in ("text", [""], [1]):
        with pytest.raises(GraphError, match="modules"):
            RoutineGraph.deserialize(_filter_of(own), modules=wrong)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # as those do who do not check types
