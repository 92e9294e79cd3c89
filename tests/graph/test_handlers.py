"""Routines in both forms, and how handlers take their messages."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# Handlers are lambdas here, and a message tells no types.

import asyncio
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flowscope import INJECTED, Flow, FlowConfig, Inject, RunStatus, Task, current_flow_or_none, task
from flowscope.graph import GraphError, JobState, Routine, RoutineGraph, event, slot
from support.graph.routines import called, graph_of


class Scale(Routine):
    """Scales a number."""

    factor: float = 2.0
    scaled = event("value")

    @slot
    def trigger(self, value: float) -> None:
        """Scale it."""
        self.emit("scaled", value=value * self.factor)


def _received(handler_of: Callable[[list[Any]], Callable[..., Any]], message: dict[str, Any]) -> tuple[Any, JobState]:
    seen: list[Any] = []
    job = graph_of(called(handler_of(seen))).execute("a", message)
    return seen, job


def _returned(
    handler: Callable[..., Any], message: dict[str, Any], *, status: RunStatus = RunStatus.COMPLETED, **options: Any
) -> Any:
    job = graph_of(called(handler), **options).execute("a", message)
    assert job.status == status
    return job.flow_run.tasks[0].return_value


def test_both_forms_do_the_same() -> None:
    """A class with `@slot` and `event`, and an object with `define_slot` and `define_event`, behave alike."""
    seen: list[float] = []
    plain = Routine()
    plain.define_slot("trigger", lambda value: plain.emit("scaled", value=value * 3))
    plain.define_event("scaled", ["value"])
    for routine in (Scale(factor=3.0), plain):
        graph = RoutineGraph()
        graph.add_routine(routine, "scale")
        graph.add_routine(called(lambda value: seen.append(value)), "end")
        graph.connect("scale", "scaled", "end", "trigger")
        assert graph.execute("scale", {"value": 2.0}).status == RunStatus.COMPLETED
        assert graph.routine("scale").events["scaled"].output_params == ("value",)
    assert seen == [6.0, 6.0]


def test_subclasses_inherit_and_replace_slots() -> None:
    """A subclass has its base's slots and events, and its own method handles a slot that it defines again."""

    class Half(Scale):
        @slot
        def trigger(self, value: float) -> None:
            self.emit("scaled", value=value / 2)

    seen: list[float] = []
    graph = RoutineGraph()
    graph.add_routine(Half(), "half")
    graph.add_routine(called(lambda value: seen.append(value)), "end")
    graph.connect("half", "scaled", "end", "trigger")
    graph.execute("half", {"value": 2.0})
    assert seen == [1.0]


def test_a_handler_takes_what_it_has_parameters_for() -> None:
    """All of the data, matching parameters by any kind, nothing, or the whole message as `data`."""
    message = {"a": 1, "b": 2}
    assert _received(lambda seen: lambda **kwargs: seen.append(kwargs), message)[0] == [message]
    assert _received(lambda seen: lambda a, **rest: seen.append((a, rest)), message)[0] == [(1, {"b": 2})]
    assert _received(lambda seen: lambda b: seen.append(b), message)[0] == [2]
    assert _received(lambda seen: lambda b, /, a: seen.append((b, a)), message)[0] == [(2, 1)]
    assert _received(lambda seen: lambda *, a, c=9: seen.append((a, c)), message)[0] == [(1, 9)]
    assert _received(lambda seen: lambda: seen.append("called"), message)[0] == ["called"]
    assert _received(lambda seen: lambda data: seen.append(data), message)[0] == [message]
    assert _received(lambda seen: lambda data: seen.append(data), {"data": 5, "b": 2})[0] == [5]
    assert _received(lambda seen: lambda *args: seen.append(args), message)[0] == [()]


def test_parameters_without_names_take_their_keys_too() -> None:
    """Those before a `/`: what the message lacks has its default, also before one that it has."""

    def three(a: int, b: int = 8, c: int = 9, /) -> tuple[int, int, int]:
        return a, b, c

    def keyed(a: int = 7, /, **rest: int) -> tuple[int, dict[str, int]]:
        return a, rest

    assert _returned(three, {"a": 1}) == (1, 8, 9)
    assert _returned(three, {"c": 3, "a": 1}) == (1, 8, 3)
    assert _returned(three, {"b": 2, "a": 1, "d": 4}) == (1, 2, 9)
    assert _returned(keyed, {"a": 1, "b": 2}) == (1, {"b": 2})
    assert _returned(keyed, {"b": 2}) == (7, {"b": 2})
    assert _returned(keyed, {"rest": 2}) == (7, {"rest": 2})


def test_the_whole_message_comes_as_data() -> None:
    """If `data` is the only parameter, apart from injected ones and `*args`, and the message has no such key."""
    message = {"a": 1, "b": 2}
    whole: list[Callable[..., Any]] = [
        lambda data: data, lambda data=None: data, lambda data, /: data, lambda *, data: data,
        lambda data, *args: data, lambda data, this_flow=INJECTED: data, lambda this_task, data: data,
    ]  # fmt: skip
    for handler in whole:
        assert _returned(handler, message) == message
        assert _returned(handler, {}) == {}
        assert _returned(handler, {"data": 5, "b": 2}) == 5
    assert _returned(lambda data=3, other=4: (data, other), message) == (3, 4)
    assert _returned(lambda data=3, **rest: (data, rest), message) == (3, message)


class _Object:
    def __call__(self, value: int) -> int:
        return value + 1


class _AsyncObject:
    async def __call__(self, value: int) -> int:
        return value + 2


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


async def _add(value: int, more: int = 5) -> int:
    return value + more


@_wrapped
def _plain(value: int, more: int = 4) -> int:
    return value + more


def test_handlers_of_all_kinds() -> None:
    """Partials, callable objects, wrapped functions, methods, and builtins, those without a signature too."""

    def three_of(a: int, value: int, c: int) -> tuple[int, int, int]:
        return a, value, c

    three = functools.partial(three_of, 1, c=3)
    assert _returned(three, {"value": 2}) == (1, 2, 3)
    assert _returned(three, {"value": 2, "c": 4}) == (1, 2, 4)
    assert _returned(functools.partial(_add, more=7), {"value": 1}) == 8
    assert _returned(_Object(), {"value": 1}) == 2
    assert _returned(_AsyncObject(), {"value": 1}) == 3
    assert _returned(functools.partial(_AsyncObject()), {"value": 1}) == 3
    assert _returned(_plain, {"value": 1, "other": 2}) == 5
    assert _returned(_Object().__call__, {"value": 1}) == 2
    taken: dict[str, int] = {}
    listed: list[object] = []
    assert _returned(taken.update, {"value": 1}) is None
    assert taken == {"value": 1}
    assert _returned(listed.append, {"object": 1, "other": 2}) is None
    assert listed == [1]
    assert _returned(max, {}, status=RunStatus.FAILED) is None
    assert _returned(print, {"sep": "-", "value": 1}) is None


@task(retries=1)
def _step(value: int, this_task: Task = INJECTED) -> tuple[int, str, int]:
    if this_task.attempt == 1:
        raise ValueError
    return value, this_task.task_name, this_task.attempt


@task
async def _async_step(value: int, this_task: Task = INJECTED) -> str:
    return f"{this_task.task_name}:{value}"


def test_a_handler_may_be_a_task() -> None:
    """It is recorded inside its activation, with its own options, and is injected as itself."""
    job = graph_of(called(_step)).execute("a", {"value": 3})
    assert [(one.task_name, one.status, one.return_value) for one in job.flow_run.tasks] == [
        ("a.trigger", RunStatus.COMPLETED, (3, "_step", 2)),
        ("_step", RunStatus.COMPLETED, (3, "_step", 2)),
    ]
    assert _returned(_async_step, {"value": 3}) == "_async_step:3"


async def _forty() -> int:
    return 40


def test_injected_parameters_are_no_keys() -> None:
    """A message with such a key does not replace them; what nobody provides is an error of the activation."""

    def handler(value: int, number: int = Inject(lambda: 42), *, this_flow: Flow[Any] = INJECTED) -> object:
        return value, number, this_flow.flow_name

    async def waiting(value: int, number: int = Inject(_forty)) -> int:
        return value + number

    def unprovided(value: int, database: object = INJECTED) -> None: ...

    def behind(value: int, this_flow: Flow[Any] = INJECTED, /) -> str:
        return this_flow.flow_name

    assert _returned(handler, {"value": 1, "number": 2, "this_flow": 3}, flow_id="g") == (1, 42, "g")
    assert _returned(waiting, {"value": 2}) == 42
    assert _returned(behind, {"value": 2}, flow_id="g") == "g"
    job = graph_of(called(unprovided)).execute("a", {"value": 1})
    assert job.error is not None
    assert job.error.type == "InjectionError"
    assert "'database'" in job.error.message


def test_handlers_that_cannot_work_are_refused_when_they_are_wired() -> None:
    """Classes, generators in any wrapping, async providers of sync functions, and values that have no place to go."""

    def generator(value: int) -> Iterator[int]:
        yield value

    def sync(value: int, number: int = Inject(_forty)) -> None: ...

    def before(this_flow: Flow[Any], value: int, /) -> None: ...

    refused: list[tuple[Callable[..., Any], str]] = [
        (int, "found type"),
        (generator, "is a generator"),
        (functools.partial(generator), "is a generator"),
        (task(generator), "is a generator"),
        (sync, "_forty.. is async and sync.. is not"),
        (before, "Swap them"),
    ]
    for handler, said in refused:
        with pytest.raises(GraphError, match=f"handler 'a.trigger'.*{said}"):
            graph_of(called(handler))


def test_a_handler_behind_a_wrapper_is_run_to_its_end() -> None:
    """A sync wrapper of an async function, or a lambda in front of one, is awaited: its error is the activation's."""
    seen: list[int] = []

    async def note(value: int) -> None:
        await asyncio.sleep(0)
        seen.append(10 // value)

    handlers: list[Callable[..., Any]] = [_wrapped(note), lambda value: note(value)]
    for handler in handlers:
        seen.clear()
        job = graph_of(called(handler)).execute("a", {"value": 2})
        assert seen == [5]
        assert [call.status for call in job.flow_run.tasks] == [RunStatus.COMPLETED]
        failed = graph_of(called(handler)).execute("a", {"value": 0})
        assert failed.error is not None
        assert failed.error.type == "ZeroDivisionError"
        assert [call.status for call in failed.flow_run.tasks] == [RunStatus.FAILED]


def test_what_a_handler_only_makes_is_not_taken_for_done() -> None:
    """A generator, and a coroutine that others hold, are an error of the activation, for nobody would run them."""
    held: list[Any] = []

    @_wrapped
    def generator(value: int) -> Iterator[int]:
        yield value

    def holding(value: int) -> Any:
        held.append(_add(value))
        return held[-1]

    made: list[tuple[Callable[..., Any], str]] = [(generator, "generator"), (holding, "coroutine")]
    for handler, what in made:
        job = graph_of(called(handler)).execute("a", {"value": 1})
        assert job.status == RunStatus.FAILED
        assert job.error is not None
        assert f"returned a {what}" in job.error.message
    for coroutine in held:
        coroutine.close()


def test_a_message_that_does_not_fit_is_an_error_of_that_activation() -> None:
    """A missing parameter fails the job, is recorded with the task, and the handler is not called."""
    seen, job = _received(lambda seen: lambda missing: seen.append(missing), {"a": 1})
    assert not seen
    assert job.status == RunStatus.FAILED
    assert job.error is not None
    assert job.error.type == "TypeError"
    assert "'missing'" in job.error.message
    assert job.routine_states["a"].status == "failed"
    assert [(task.task_name, task.status) for task in job.flow_run.tasks] == [("a.trigger", RunStatus.FAILED)]


def test_handlers_may_be_async() -> None:
    """An async handler is awaited, in a loop of its own or in that of `execute_async`, and emits like any other."""
    loops: list[object] = []
    seen: list[int] = []

    def graph() -> RoutineGraph:
        source = Routine()
        source.define_event("out")

        async def double(value: int) -> None:
            await asyncio.sleep(0)
            loops.append(asyncio.get_running_loop())
            source.emit("out", value=value * 2)

        source.define_slot("trigger", double)
        return graph_of(source, called(lambda value: seen.append(value)))

    assert graph().execute("a", {"value": 2}).status == RunStatus.COMPLETED

    async def main() -> None:
        job = await graph().execute_async("a", {"value": 4})
        assert job.status == RunStatus.COMPLETED
        assert loops[-1] is asyncio.get_running_loop()

    asyncio.run(main())
    assert seen == [4, 8]


def test_handlers_are_injected_like_tasks() -> None:
    """`this_flow` and others are there for handlers too, and no key of the message is wanted for them."""
    seen: list[str] = []

    def handler(value: int, this_flow: Flow[Any] = INJECTED) -> None:
        seen.append(f"{this_flow.flow_name}:{value}")

    assert graph_of(called(handler), flow_id="g").execute("a", {"value": 1}).status == RunStatus.COMPLETED
    assert seen == ["g:1"]


def test_emit_and_job_work_inside_handlers_alone() -> None:
    """Outside, and for an event that does not exist, the error says so; the running job is the very one returned."""
    routine = Scale()
    with pytest.raises(GraphError, match=r"'scaled' of Scale is for its own handlers.*Begin a job with graph.execute"):
        routine.emit("scaled", value=1)
    with pytest.raises(GraphError, match="handlers"):
        _ = routine.job
    bad = Routine()
    bad.define_slot("trigger", lambda: bad.emit("nothing"))
    job = graph_of(bad).execute("a")
    assert job.error is not None
    assert "nothing" in job.error.message
    stranger = Routine()
    stranger.define_slot("trigger", lambda: routine.emit("scaled", value=1))
    job = graph_of(stranger).execute("a")
    assert job.error is not None
    assert job.error.message.endswith("the one that is running here is of Routine. Connect the two.")
    seen: list[JobState] = []
    good = Routine()
    good.define_slot("trigger", lambda: seen.append(good.job))
    job = graph_of(good).execute("a")
    assert seen[0] is job


def test_a_routine_shared_by_two_graphs_delivers_to_the_one_that_runs() -> None:
    """Nothing of a run is on the routine, so the other graph hears nothing."""
    shared, heard = Scale(), {"one": 0, "two": 0}

    def graph(name: str) -> RoutineGraph:
        made = RoutineGraph()
        made.add_routine(shared, "scale")

        def hear() -> None:
            heard[name] += 1

        made.add_routine(called(hear), "end")
        made.connect("scale", "scaled", "end", "trigger")
        return made

    one, _two = graph("one"), graph("two")
    one.execute("scale", {"value": 1.0})
    assert heard == {"one": 1, "two": 0}


def test_names_unknown_or_taken_are_errors_and_change_nothing() -> None:
    """Each is a `GraphError`, which is a `ValueError`, and the graph is as before."""
    graph = RoutineGraph()
    graph.add_routine(Scale(), "a")
    graph.add_routine(called(lambda: None), "b")
    before = graph.to_mermaid()
    taken = Scale()
    attempts: list[Callable[[], object]] = [
        lambda: graph.add_routine(Scale(), "a"),
        lambda: graph.connect("x", "scaled", "b", "trigger"),
        lambda: graph.connect("a", "x", "b", "trigger"),
        lambda: graph.connect("a", "scaled", "x", "trigger"),
        lambda: graph.connect("a", "scaled", "b", "x"),
        lambda: graph.set_execution_strategy("parallel"),  # type: ignore[arg-type] # what is tested
        lambda: RoutineGraph(execution_strategy="parallel"),  # type: ignore[arg-type] # what is tested
        lambda: RoutineGraph(max_workers=0),
        lambda: graph.execute("x"),
        lambda: graph.execute("a", execution_strategy="parallel"),  # type: ignore[arg-type] # what is tested
        lambda: graph.execute("a", priority=7),  # type: ignore[arg-type] # what is tested
        lambda: graph.execute("a", timeout=-1),
        lambda: graph_of(Routine()).execute("a"),
        lambda: graph.get_routine_retry_count("x"),
        lambda: graph.pause(JobState(flow_id="other")),
        lambda: graph.cancel(JobState(flow_id="other")),
        lambda: graph.resume(JobState(flow_id="other")),
        lambda: graph.wait_for_completion(JobState(flow_id="other")),
        lambda: taken.define_slot("trigger"),
        lambda: taken.define_event("scaled"),
        lambda: taken.define_slot("x", merge_strategy="sum"),  # type: ignore[arg-type] # what is tested
    ]
    for attempt in attempts:
        with pytest.raises(GraphError):
            attempt()
    assert issubclass(GraphError, ValueError)
    assert graph.to_mermaid() == before
    assert graph.execute("b").status == RunStatus.COMPLETED


def test_an_activation_is_a_task_of_the_job() -> None:
    """Its prints and logs are recorded with it, and whoever starts a job is not inside it."""

    def handler(value: int) -> None:
        print("value", value)

    graph = graph_of(called(handler), flow_config=FlowConfig(capture_events=True))
    job = graph.start("a", {"value": 3})
    assert current_flow_or_none() is None
    assert graph.wait_for_completion(job)
    record = job.flow_run
    assert [task.task_name for task in record.tasks] == ["a.trigger"]
    printed = [line for line in record.logs if line.source == "stdout"]
    assert [(line.message, line.task_id) for line in printed] == [("value 3", record.tasks[0].task_id)]
    kinds = [str(one.event_type) for one in record.events]
    assert kinds.count("task_start") == kinds.count("task_stop") == 1
    assert kinds[0] == "flow_start"
    assert kinds[-1] == "flow_stop"
