"""Executing a flow again, and the refusal to do so while it runs."""

import asyncio
import threading
from typing import Any

import pytest

from flowscope import INJECTED, AlreadyRunningError, Flow, FlowRun, RunStatus, flow, task


@task
def double(x: int) -> int:
    return 2 * x


@flow
def doubled(x: int) -> int:
    return double(x)


def test_a_flow_cannot_be_executed_while_it_runs() -> None:
    """A flow that executes itself from inside raises `AlreadyRunningError`, and its run goes on unharmed."""

    @flow
    def vain(this_flow: Flow[str] = INJECTED) -> str:
        with pytest.raises(AlreadyRunningError, match="vain"):
            this_flow.execute()
        with pytest.raises(AlreadyRunningError):
            this_flow.__enter__()
        double(1)
        return "fine"

    made = vain().execute()
    assert made.return_value == "fine"
    assert len(made.executed_tasks) == 1


def test_a_flow_cannot_be_executed_in_two_threads_at_once() -> None:
    """Of many threads that execute one flow at once, one runs it and all others get `AlreadyRunningError`."""
    release, barrier = threading.Event(), threading.Barrier(8)
    refused: list[AlreadyRunningError] = []
    executed: list[int] = []

    def slow() -> int:
        release.wait()
        return 1

    made = Flow[int]().setup(slow)

    def attempt() -> None:
        barrier.wait()
        try:
            executed.append(made.execute().return_value)
        except AlreadyRunningError as error:
            refused.append(error)
            if len(refused) == 7:
                release.set()

    threads = [threading.Thread(target=attempt, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert executed == [1]
    assert len(refused) == 7


async def test_a_flow_cannot_be_awaited_twice_at_once() -> None:
    """Of concurrent awaits of one flow the first runs it, and the others get `AlreadyRunningError`."""
    resume = asyncio.Event()

    async def waits() -> str:
        await resume.wait()
        return "once"

    made = Flow[str]().setup(waits)
    first = asyncio.ensure_future(made.execute_async())
    await asyncio.sleep(0)
    others = await asyncio.gather(*(made.execute_async() for _ in range(5)), return_exceptions=True)
    assert all(isinstance(other, AlreadyRunningError) for other in others)
    resume.set()
    assert (await first).return_value == "once"


def test_run_params_are_recorded_for_their_run_alone() -> None:
    """What is given to `execute_flow` or `execute_async` is recorded as the run's `run_params`."""
    made = doubled(1)
    given = {"trigger": "manual"}
    made.execute_flow(given)
    given["trigger"] = "changed"
    assert made.flow_run.run_params == {"trigger": "manual"}
    assert made.flow_run.params == {"x": 1}
    asyncio.run(made.execute_async({"trigger": "cron"}))
    assert made.flow_run.run_params == {"trigger": "cron"}
    assert made.execute().flow_run.run_params == {}


def test_a_further_execution_is_a_fresh_run_with_a_new_id() -> None:
    """Executing again gives a new id, tasks with new ids, and leaves earlier records as they were."""
    made = doubled(2)
    records: list[FlowRun[int]] = [made.execute().flow_run for _ in range(3)]
    before = [record.model_dump_json() for record in records]
    made.execute()
    assert len({record.flow_id for record in records}) == 3
    assert len({t.task_id for record in records for t in record.tasks}) == 3
    assert [len(record.tasks) for record in records] == [1, 1, 1]
    assert [t.execution_order for record in records for t in record.tasks] == [1, 1, 1]
    assert [record.model_dump_json() for record in records] == before
    assert made.flow_id == made.flow_run.flow_id
    assert made.flow_id not in {record.flow_id for record in records}


async def test_nothing_of_an_earlier_run_remains() -> None:
    """Tasks, logs, artifacts, results, error and value are those of the latest run alone."""
    outcomes = iter([ValueError("first"), None, KeyError("third")])

    @flow
    async def changing(this_flow: Flow[str] = INJECTED) -> str:
        double(1)
        this_flow.log_info("said")
        this_flow.add_flow_artifact(key="made")
        this_flow.add_flow_result("found")
        if (error := next(outcomes)) is not None:
            raise error
        return "second"

    made = changing()
    with pytest.raises(ValueError):
        await made
    assert str(made.flow_error) == "first"
    assert (await made).return_value == "second"
    assert made.flow_error is None
    assert made.status is RunStatus.COMPLETED
    record = made.flow_run
    assert record.error is None
    assert [e.message for e in record.logs].count("said") == 1
    assert len(record.tasks) == len(made.executed_tasks) == len(record.artifacts) == 1
    assert [r.key for r in record.results] == ["found", "flow-return-value"]
    with pytest.raises(KeyError):
        await made
    assert made.flow_run.return_value is None
    with pytest.raises(KeyError):
        _ = made.return_value


def test_while_it_runs_again_the_earlier_value_is_gone() -> None:
    """During a further run the status is `running`, and neither value nor error of the earlier one can be read."""
    seen: list[tuple[RunStatus, bool, object]] = []

    def peek(this_flow: Flow[int] = INJECTED) -> int:
        seen.append((this_flow.status, this_flow.succeeded, this_flow.flow_output()["output"]))
        return len(seen)

    made = Flow[int]().setup(peek)
    assert made.execute().return_value == 1
    assert made.execute().return_value == 2
    assert seen == [(RunStatus.RUNNING, False, None)] * 2


def test_flow_data_is_again_what_was_put_in_before_the_first_run() -> None:
    """Keys that a run added, changed or removed, and those put in between runs, are undone for the next one."""
    seen: list[dict[str, Any]] = []

    def work(flow_data: dict[str, Any] = INJECTED) -> None:
        seen.append(dict(flow_data))
        flow_data["added"] = 1
        flow_data["changed"] = "new"
        del flow_data["removed"]

    made = Flow[None]().setup(work)
    given = {"changed": "old", "removed": object()}
    made.flow_data.update(given)
    made.execute()
    assert made.flow_data == {"added": 1, "changed": "new"}
    made.flow_data["between"] = True
    made.execute()
    made.execute()
    assert seen == [given] * 3


def test_a_given_id_belongs_to_the_first_run() -> None:
    """A flow made with an id has it in its first run, and a new one, never seen before, in each further one."""
    made = Flow[int](flow_id="nightly").setup(lambda: double(1))
    ids = [made.execute().flow_run.flow_id for _ in range(3)]
    assert ids[0] == "nightly"
    assert len(set(ids)) == 3
    assert all(flow_id.startswith("flow-") for flow_id in ids[1:])


def test_tasks_of_flows_with_the_same_given_id_have_ids_of_their_own() -> None:
    """Task ids are unique even where the user gives one id to several flows."""

    @flow(flow_id="same")
    def named() -> str:
        double(1)
        return "x"

    runs = [named().execute().flow_run for _ in range(5)]
    assert {run.flow_id for run in runs} == {"same"}
    assert len({t.task_id for run in runs for t in run.tasks}) == 5


def test_a_failed_run_can_be_executed_again() -> None:
    """A run that failed, or was interrupted, leaves nothing behind that would refuse the next one."""
    errors: list[BaseException | None] = [ValueError("a"), KeyboardInterrupt(), None]

    def unlucky() -> str:
        if (error := errors.pop(0)) is not None:
            raise error
        return "at last"

    made = Flow[str]().setup(unlucky)
    with pytest.raises(ValueError):
        made.execute()
    with pytest.raises(KeyboardInterrupt):
        made.execute()
    assert made.status is RunStatus.CANCELLED
    assert made.execute().return_value == "at last"


def test_a_further_execution_may_have_another_setup() -> None:
    """Setting a finished flow up again changes what the next run does, and keeps the finished record until then."""
    made = doubled(1).execute()
    made.setup(lambda: 70)
    assert made.flow_run.return_value == 2
    assert made.execute().flow_run.return_value == 70


def test_an_execution_that_cannot_begin_leaves_the_flow_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    """Run parameters that are no mapping are a `TypeError`, after which the flow is pending and can be executed."""
    made = doubled(3)
    wrong: Any = 5
    with pytest.raises(TypeError):
        made.execute_flow(wrong)
    print("seen")
    assert capsys.readouterr().out == "seen\n"
    assert made.status is RunStatus.PENDING
    assert made.execute().return_value == 6


def test_what_was_provided_during_a_run_is_gone() -> None:
    """A name that a run provided itself is not injected in the next one; what was provided before it still is."""

    def work(this_flow: Flow[str] = INJECTED, before: str = "-", during: str = "-") -> str:
        this_flow.provide(during="run")
        return before + during

    made = Flow[str]().setup(work).provide(before="user")
    assert made.execute().return_value == "user-"
    assert made.execute().return_value == "user-"
