"""The run of a `with` block opens with the first thing that happens in it."""

import asyncio
import copy
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import pytest

from flowscope import (
    AlreadyRunningError,
    EventType,
    Flow,
    FlowConfig,
    FlowEvent,
    NoActiveFlowError,
    NotExecutedError,
    RunStatus,
    Task,
    bind_context,
    current_flow,
    current_flow_or_none,
    flow,
    submit,
    task,
)

STRICT = FlowConfig(log_level="WARNING")


@task
def double(x: int) -> int:
    return 2 * x


@task
async def double_later(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


@flow
def doubled(x: int) -> int:
    return double(x)


def nothing() -> None:
    """A function without a task."""


def speak(made: Flow[Any]) -> None:  # noqa: ARG001 - of the kind of the others
    print("hello")


def log_by_name(made: Flow[Any]) -> None:  # noqa: ARG001 - of the kind of the others
    logging.getLogger("block").warning("hello")


OPENERS: dict[str, Callable[[Flow[Any]], object]] = {
    "a task": lambda made: double(1),
    "a task by hand": lambda made: Task(len, "a").execute_sync(),
    "a submitted task": lambda made: submit(double, 1).result(),
    "a print": speak,
    "a record of logging": log_by_name,
    "a message": lambda made: made.log_info("hello"),
    "an artifact": lambda made: made.add_flow_artifact(key="a"),
    "a result": lambda made: made.add_flow_result("a"),
    "a nested flow": lambda made: doubled(1).execute(),
    "an execution": lambda made: made.setup(nothing).execute(),
}


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
def test_what_is_set_before_the_first_thing_counts(opener: Callable[[Flow[Any]], object]) -> None:
    """Config, id, tags, name and listeners that are set first are those of the run, and do not change afterwards."""
    events: list[FlowEvent] = []
    with Flow[Any]() as made:
        made.flow_config, made.flow_id, made.tags = STRICT, "mine", ("nightly",)
        made.flow_name = "named"
        made.add_listener(events.append, EventType.FLOW_START)
        assert events == []
        opener(made)
        assert [event.event_data.flow_run_id for event in events] == ["mine"]
    record = made.flow_run
    assert (record.flow_id, record.flow_name, record.tags, record.config) == ("mine", "named", ("nightly",), STRICT)
    assert (made.flow_id, made.flow_name, made.tags) == ("mine", "named", ("nightly",))
    assert record.status is RunStatus.COMPLETED


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
@pytest.mark.parametrize(("field", "value"), [("flow_id", "late"), ("flow_name", "late"), ("tags", ("late",))])
def test_what_would_part_from_the_record_is_refused(
    opener: Callable[[Flow[Any]], object], field: str, value: object
) -> None:
    """Once something has happened, setting the id, name or tags raises, and neither the flow nor its record changes."""
    with Flow[Any](flow_config=FlowConfig()) as made:
        if opener is OPENERS["an execution"]:
            made.setup(lambda: setattr(made, field, value))
            with pytest.raises(AlreadyRunningError, match=f"{field} of flow .* cannot be set, it is running"):
                made.execute()
        else:
            opener(made)
            with pytest.raises(AlreadyRunningError, match=f"{field} of flow .* cannot be set, it is running"):
                setattr(made, field, value)
        assert getattr(made, field) == getattr(made.flow_run, field)
    assert getattr(made, field) == getattr(made.flow_run, field) != value


def test_a_copy_of_a_running_flow_has_its_own_fields() -> None:
    """A copy is a flow that has not run: its fields may be set, and those of the running one stay."""
    with Flow[Any](flow_id="mine") as made:
        double(1)
        copied = made.model_copy(update={"flow_id": "other"})
        again = copy.copy(made)
        again.tags = ("copied",)
    assert (copied.flow_id, copied.status, made.flow_id, made.flow_run.flow_id) == (
        "other",
        RunStatus.PENDING,
        "mine",
        "mine",
    )
    assert (made.tags, again.flow_run.tags) == ((), ("copied",))


def test_fields_set_after_the_end_are_those_of_the_next_execution() -> None:
    """On a flow that has ended, name, tags and id may be set: the record of its next run has them, the old one not."""
    made = doubled(1).execute()
    first = made.flow_run
    made.tags, made.flow_name, made.flow_id = ("second",), "second", "second"
    assert made.flow_run == first
    second = made.execute().flow_run
    assert (second.flow_id, second.flow_name, second.tags) == ("second", "second", ("second",))
    assert made.execute().flow_run.flow_id == made.flow_id != "second"


def test_looking_opens_nothing() -> None:
    """The flow is running in its block before anything happens, and can be looked at without being settled."""
    with Flow[Any]() as made:
        assert current_flow() is made
        assert (made.status, made.flow_run.status) == (RunStatus.RUNNING, RunStatus.RUNNING)
        assert (made.executed_tasks, made.log_messages(), made.captured_logs()) == ([], [], [])
        assert made.durations().flow_status is RunStatus.RUNNING
        with pytest.raises(NotExecutedError):
            _ = made.return_value
        made.setup(doubled.__wrapped__, 3)  # type: ignore[attr-defined] # of every decorated function
        made.flow_id = "mine"
        made.execute()
    assert (made.flow_run.flow_id, made.flow_run.flow_name, made.return_value) == ("mine", "doubled", 6)
    assert made.flow_run.params == {"x": 3}


@pytest.mark.parametrize("is_async", [False, True])
def test_a_block_in_which_nothing_happens_is_a_completed_run(is_async: bool) -> None:
    """It has a record with its start and end, and tells both."""
    events: list[FlowEvent] = []
    made = Flow[Any](tags=("quiet",))
    made.add_listener(events.append)

    async def enter() -> None:
        async with made:
            await asyncio.sleep(0)

    if is_async:
        asyncio.run(enter())
    else:
        with made:
            pass
    record = made.flow_run
    assert (record.status, record.flow_name, record.tags, record.tasks) == (
        RunStatus.COMPLETED,
        "Flow",
        ("quiet",),
        [],
    )
    assert record.start_time is not None
    assert record.end_time is not None
    assert [event.event_type for event in events] == [EventType.FLOW_START, EventType.FLOW_STOP]
    assert made.return_value is None


async def test_an_exception_before_the_run_opened_is_that_of_the_run() -> None:
    """A block that raises before anything has happened is a failed run, or a cancelled one."""
    for error in (ValueError("early"), KeyboardInterrupt()):
        made, later = Flow[Any](), Flow[Any]()
        with pytest.raises(type(error)), made:
            made.flow_id = "early"
            raise error
        with pytest.raises(type(error)):
            async with later:
                raise error
        wanted = RunStatus.FAILED if isinstance(error, Exception) else RunStatus.CANCELLED
        assert (made.status, later.status) == (wanted, wanted)
        assert made.flow_error is later.flow_error is error
        assert made.flow_run.flow_id == "early"
        assert current_flow_or_none() is None


def test_data_and_provisions_that_are_given_first_reach_the_run() -> None:
    """What the block provides counts for its run alone; what it puts into `flow_data` is there for each run."""

    def work(flow_data: dict[str, Any], given: str = "-") -> tuple[Any, str]:
        return flow_data.get("kept"), given

    with Flow[Any]() as made:
        made.provide(given="g")
        made.flow_data["kept"] = 1
        made.setup(work)
        made.execute()
    assert made.return_value == (1, "g")
    assert made.execute().return_value == (1, "-")


def test_a_print_is_recorded_as_the_config_that_was_set_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints are captured by the config of the run, not by that at the start of the block."""
    with Flow[Any](flow_config=FlowConfig(capture_stdout=False)) as made:
        made.flow_config = FlowConfig()
        print("caught")
    with Flow[Any]() as free:
        free.flow_config = FlowConfig(capture_stdout=False)
        print("free")
    print("outside")
    assert [entry.message for entry in made.captured_logs() if entry.source == "stdout"] == ["caught"]
    assert free.captured_logs() == []
    assert capsys.readouterr().out == "free\noutside\n"


def test_many_threads_open_one_run() -> None:
    """Threads that begin at the same moment are all in the one run, whose start is told first, and once."""
    for _ in range(20):
        events: list[FlowEvent] = []
        barrier = threading.Barrier(8)

        def work(number: int, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(30)
            double(number)

        with Flow[Any]() as made, ThreadPoolExecutor(8) as pool:
            made.add_listener(events.append)
            for done in [pool.submit(bind_context(work), number) for number in range(8)]:
                done.result(30)
        assert len(made.executed_tasks) == 8
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        kinds = [event.event_type for event in events]
        assert (kinds[0], kinds[-1], kinds.count(EventType.FLOW_START)) == (
            EventType.FLOW_START,
            EventType.FLOW_STOP,
            1,
        )


async def test_what_is_started_in_the_block_opens_it_where_it_runs() -> None:
    """An asyncio task or thread that was started before the run opened belongs to it."""
    async with Flow[Any]() as made:
        later = asyncio.create_task(double_later(1))
        made.flow_id = "mine"
        assert await asyncio.to_thread(double, 2) == 4
        assert await later == 2
    assert {call.flow for call in made.executed_tasks} == {made}
    assert len(made.flow_run.tasks) == 2
    assert made.flow_run.tasks[0].task_id.startswith("task-")


async def test_what_outlives_the_block_is_outside() -> None:
    """An asyncio task that begins after the block, in which nothing had happened, has no flow."""
    release = asyncio.Event()

    async def late() -> None:
        await release.wait()
        print("late")
        await double_later(1)

    async with Flow[Any]() as made:
        stray = asyncio.create_task(late())
        await asyncio.sleep(0)
    release.set()
    with pytest.raises(NoActiveFlowError):
        await stray
    assert (made.flow_run.tasks, made.flow_run.logs) == ([], [])


def test_an_inner_flow_opens_the_blocks_around_it() -> None:
    """The id of the outer block stands once a flow that has begun inside refers to it."""
    with Flow[Any](flow_name="outer") as outer:
        outer.flow_id = "outermost"
        with Flow[Any](flow_name="middle") as middle:
            middle.flow_id = "between"
            with Flow[Any](flow_name="inner") as inner:
                inner.flow_id = "innermost"
                double(1)
            with pytest.raises(AlreadyRunningError):
                outer.flow_id = "late"
    assert [made.flow_run.parent_flow_id for made in (outer, middle, inner)] == [None, "outermost", "between"]
    assert [len(made.flow_run.tasks) for made in (outer, middle, inner)] == [0, 0, 1]


def test_a_block_on_a_finished_flow_leaves_its_record() -> None:
    """Nothing belongs to such a block: the record and value stay, and prints go to the console."""
    made = doubled(1).execute()
    record = made.flow_run
    with made as entered:
        assert entered is made
        assert entered.return_value == 2
        assert current_flow_or_none() is None
        print("free")
        made.log_info("to the standard logger")
        with pytest.raises(NoActiveFlowError, match="make a new flow"):
            double(1)
        with made:
            pass
    with pytest.raises(ValueError), made:
        raise ValueError
    assert made.flow_run == record
    assert current_flow_or_none() is None


async def test_a_block_on_a_finished_flow_hides_the_flow_around_it() -> None:
    """A task there is not recorded in another flow that runs around the block, which goes on afterwards."""
    made = doubled(1).execute()
    async with Flow[Any]() as outer:
        with made, pytest.raises(NoActiveFlowError):
            double(2)
        async with made:
            with pytest.raises(NoActiveFlowError):
                await double_later(2)
            assert made.execute().return_value == 2
        double(3)
    assert [call.input_args for call in outer.flow_run.tasks] == [[3]]


async def test_blocks_of_several_tasks_on_one_finished_flow_end_by_themselves() -> None:
    """Each asyncio task comes back to where it was, in whatever order they leave their blocks."""
    made = doubled(1).execute()
    entered, first_left = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with made:
            await entered.wait()
        first_left.set()
        assert double(1) == 2

    async def second() -> None:
        async with made:
            entered.set()
            await first_left.wait()
        assert double(2) == 4

    async with Flow[Any]() as outer:
        await asyncio.gather(first(), second())
    assert len(outer.executed_tasks) == 2


class Session(Flow[Any]):
    """A flow that prepares itself where it is entered."""

    def __enter__(self) -> Self:
        made = super().__enter__()
        made.flow_id = "session"
        made.flow_data["open"] = True
        return made

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.log_info("leaving")
        super().__exit__(kind, error, traceback)


def test_what_a_subclass_sets_where_it_is_entered_counts() -> None:
    """After `super().__enter__()` the run has not opened; a message of its `__exit__` belongs to the run."""
    with Session() as made:
        assert made.flow_data == {"open": True}
    assert made.flow_run.flow_id == made.flow_id == "session"
    assert "leaving" in [entry.message for entry in made.captured_logs()]


def test_a_hook_that_fails_keeps_the_block_from_being_entered() -> None:
    """What `task_dependencies()` raises is the failure of the run, and what it calls before belongs to that."""

    class Broken(Flow[Any]):
        def task_dependencies(self) -> Mapping[str, Any]:
            double(1)
            raise ConnectionError("no database")

    made = Broken()
    with pytest.raises(ConnectionError), made:
        pytest.fail("entered")
    assert (made.status, len(made.executed_tasks)) == (RunStatus.FAILED, 1)
    assert current_flow_or_none() is None


def test_a_hook_that_speaks_opens_the_run_which_has_what_it_gives() -> None:
    """A hook may print and call tasks: the tasks of the block get what it returns."""

    class Talking(Flow[Any]):
        def task_dependencies(self) -> Mapping[str, Any]:
            print("connecting")
            return {"given": 5}

    @task
    def ask(given: int = 0) -> int:
        return given

    with Talking() as made:
        assert ask() == 5
    assert [entry.message for entry in made.captured_logs() if entry.source == "stdout"] == ["connecting"]


def test_a_finished_flow_is_not_asked_again() -> None:
    """`with` on a flow that has ended does not ask its hook."""
    asked: list[int] = []

    class Hooked(Flow[int]):
        def run(self) -> int:
            return 1

        def task_dependencies(self) -> Mapping[str, Any]:
            asked.append(1)
            return {}

    with Hooked().execute():
        pass
    assert asked == [1]
