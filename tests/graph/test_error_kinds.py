"""The kinds of graph errors, and what they tell a program."""

import pickle
from collections.abc import Callable

import pytest

from flowscope import RunStatus
from flowscope.graph import (
    Filter,
    GraphError,
    GraphSpec,
    JobStateError,
    NameTakenError,
    Routine,
    RoutineGraph,
    SpecError,
    UnknownNameError,
)


def _raised(kind: type[GraphError], call: Callable[[], object]) -> GraphError:
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 - the test's own
    assert type(copied) is kind
    assert vars(copied) == vars(error)
    assert str(copied) == str(error) == error.reason
    assert isinstance(error, ValueError)
    return error


def _graph() -> RoutineGraph:
    graph = RoutineGraph("kinds")
    graph.add_routine(Routine(), "a")
    return graph


def test_unknown_names() -> None:
    """A routine, an event and a slot that there is not."""
    graph = _graph()
    assert vars(_raised(UnknownNameError, lambda: graph.execute("b")))["name"] == "b"
    assert vars(_raised(UnknownNameError, lambda: graph.connect("a", "out", "a", "in")))["name"] == "out"


def test_taken_names() -> None:
    """A routine, a slot and an event that there is already."""
    routine = Routine()
    routine.define_slot("in")
    routine.define_event("out")
    assert vars(_raised(NameTakenError, lambda: _graph().add_routine(routine, "a")))["name"] == "a"
    assert vars(_raised(NameTakenError, lambda: routine.define_slot("in")))["name"] == "in"
    assert vars(_raised(NameTakenError, lambda: routine.define_event("out")))["name"] == "out"


def test_jobs_that_have_ended() -> None:
    """They cannot be resumed."""
    routine = Routine()
    routine.define_slot("trigger", lambda: None)
    graph = RoutineGraph("kinds")
    graph.add_routine(routine, "a")
    job = graph.execute("a")
    error = vars(_raised(JobStateError, lambda: graph.resume(job)))
    assert (error["job_id"], error["status"]) == (job.job_id, RunStatus.COMPLETED)


def test_specs() -> None:
    """A function that has no name for a spec, and a class that is no routine."""
    graph = RoutineGraph("kinds")
    graph.add_routine(Filter(condition=lambda data: bool(data)), "a")  # noqa: PLW0108 - a function without a name
    _raised(SpecError, graph.serialize)
    spec = GraphSpec.model_validate_json(_graph().serialize().model_dump_json().replace(":Routine", ":NoRoutine"))
    _raised(SpecError, lambda: RoutineGraph.deserialize(spec))
