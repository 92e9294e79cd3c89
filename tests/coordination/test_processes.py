"""Flows in worker processes: made again there, executed, and their whole record brought home."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from flowscope import Flow, FlowConfig, FlowRun, RunStatus, flow
from flowscope.coordination import DependencyType, FlowCoordinator, FlowType
from support.coordination import flows
from support.coordination.flows import Marked, Spy, Summing, named, noop, outputs, register_all, returning

PROCESS = FlowType.PROCESS

pytestmark = pytest.mark.timeout(120)


@pytest_asyncio.fixture
async def coordinator() -> AsyncIterator[FlowCoordinator]:
    """A coordinator with two worker processes."""
    async with FlowCoordinator(max_processes=2) as made:
        yield made


async def executed(coordinator: FlowCoordinator, made: Flow[Any], **options: Any) -> FlowRun:
    """The record of a flow that runs in a process."""
    return await coordinator.execute_flow(coordinator.register_flow(made, flow_type=PROCESS, **options))


def message_of(record: FlowRun) -> str:
    """Why a flow has not completed."""
    assert record.error is not None
    return record.error.message


async def test_the_whole_record_comes_home(coordinator: FlowCoordinator) -> None:
    """Id, name, inputs, times, tasks, logs, prints and value of a flow that ran elsewhere are in its record here."""
    made = flows.work(4)
    record = await executed(coordinator, made)
    value: Any = record.return_value
    assert value["pid"] not in {os.getpid(), os.getppid()}
    assert (record.flow_id, record.flow_name, record.status) == (made.flow_id, "work", RunStatus.COMPLETED)
    assert record.params == {"number": 4}
    assert value["doubled"] == 8
    (double,) = record.tasks
    assert (double.task_name, double.input_args, double.return_value) == ("double", [4], 8)
    said = [(entry.source, entry.message) for entry in record.logs if entry.source != "log"]
    assert said == [("stdout", "doubling 4")]
    assert "working" in [entry.message for entry in record.logs]
    assert record.start_time is not None
    assert record.end_time is not None
    assert record.duration > 0
    assert FlowRun.model_validate_json(record.model_dump_json()) == record
    assert coordinator.get_result(made.flow_id) is record


async def test_every_kind_of_flow_travels(coordinator: FlowCoordinator) -> None:
    """Async flows, classes, methods, partials, plain functions and flows with options run in processes."""
    holder = flows.Holder(21)
    made: list[tuple[Flow[Any], object]] = [
        (flows.work_async(3), 6),
        (Summing(start=5), 5),
        (holder.method(), 21),
        (Flow[int]().setup(holder.plain), 42),
        (Flow[int]().setup(partial(flows.triple, data=5)), 15),
        (Flow[int]().setup(flows.triple_async, 5), 15),
        (Flow[int]().setup(flows.triple, data=6), 18),
        (flows.configured(7), 7),
        (flow(flows.triple)(8), 24),
    ]
    bad: Any = "no number"
    made.append((flows.unchecked(bad), "no number"))
    ids = register_all(coordinator, *(one for one, _ in made), flow_type=PROCESS)
    records = await coordinator.execute_all()
    for flow_id, (one, wanted) in zip(ids, made, strict=True):
        record = records[flow_id]
        assert (record.status, record.return_value) == (RunStatus.COMPLETED, wanted), record.error
        assert (record.flow_id, record.flow_name, record.tags) == (one.flow_id, one.flow_name, one.tags)
        assert record.config == one.flow_config
        assert record.params == one.flow_run.params
    configured = records[ids[7]]
    assert isinstance(configured.config, Marked)
    assert (configured.config.mark, configured.tags) == ("mine", ("nightly",))


async def test_outputs_travel_both_ways(coordinator: FlowCoordinator) -> None:
    """A process flow takes `upstream` and parameters from any flow, and gives its value to any."""
    register_all(coordinator, named("inline", returning(1)))
    register_all(coordinator, Summing(flow_id="sum", start=10), flow_type=PROCESS)
    adds = coordinator.register_flow(flows.adding(100), flow_type=PROCESS)
    register_all(coordinator, named("thread", outputs), flow_type=FlowType.THREAD)
    coordinator.register_dependency("inline", "sum")
    coordinator.register_dependency("sum", adds, param="addend")
    coordinator.register_dependency("sum", "thread")
    coordinator.register_dependency(adds, "thread")
    records = await coordinator.execute_all()
    assert records["thread"].return_value == {"sum": 11, adds: 111}


async def test_a_failure_comes_home(coordinator: FlowCoordinator) -> None:
    """The record of a failed flow has its error with the traceback text, and its tasks; dependents fail."""
    coordinator.register_flow(named("child", noop))
    failed = coordinator.register_flow(flows.failing(), flow_type=PROCESS)
    coordinator.register_dependency(failed, "child")
    records = await coordinator.execute_all()
    record = records[failed]
    assert (record.status, message_of(record)) == (RunStatus.FAILED, "nothing there")
    assert record.error is not None
    assert record.error.type == "LookupError"
    assert 'raise LookupError("nothing there")' in record.error.traceback
    assert [task.task_name for task in record.tasks] == ["double"]
    assert message_of(records["child"]) == f"required dependency {failed!r} failed"


async def test_an_exit_in_a_process_is_that_flows(coordinator: FlowCoordinator) -> None:
    """`SystemExit` cancels the flow; the worker and the caller go on."""
    record = await executed(coordinator, flows.leaving())
    assert record.status is RunStatus.CANCELLED
    assert (await executed(coordinator, flows.adding(1, 2))).return_value == 3


async def test_a_process_that_dies_fails_that_flow_alone(coordinator: FlowCoordinator) -> None:
    """A flow whose process ends has failed, says how, and the next flows run."""
    ids = register_all(coordinator, *(flows.dying() for _ in range(3)), flow_type=PROCESS)
    good = register_all(coordinator, *(flows.adding(1, number) for number in range(5)), flow_type=PROCESS)
    records = await coordinator.execute_all()
    for one in ids:
        assert records[one].status is RunStatus.FAILED
        assert records[one].error.type == "WorkerDiedError"  # type: ignore[union-attr] # it has failed
        assert "exit code 3" in message_of(records[one])
        assert records[one].start_time is not None
        assert records[one].end_time is not None
    assert [records[one].return_value for one in good] == [1, 2, 3, 4, 5]


async def test_a_timeout_kills_the_worker(coordinator: FlowCoordinator, tmp_path: Path) -> None:
    """At its deadline a process flow has timed out, and its process is gone; the time counts from its start there."""
    spy = Spy(tmp_path)
    started = asyncio.create_task(spy.started())
    record = await executed(coordinator, flows.hanging(spy.path), timeout=0.3)
    assert (record.status, message_of(record)) == (RunStatus.TIMED_OUT, "flow 'hanging' did not end within 0.3 s")
    assert record.duration >= 0.3
    assert await started != os.getpid()
    await spy.ended()
    assert (await executed(coordinator, flows.adding(1, 2))).return_value == 3


@pytest.mark.parametrize("how", ["cancel", "fail", "caller", "cleanup"])
async def test_a_running_process_is_stopped(coordinator: FlowCoordinator, tmp_path: Path, how: str) -> None:
    """Cancelling or failing the flow, cancelling the caller, and cleaning up kill the worker and answer at once."""
    spy = Spy(tmp_path)
    hanging = coordinator.register_flow(flows.hanging(spy.path), flow_type=PROCESS)
    execution = asyncio.create_task(coordinator.execute_all())
    assert await spy.started() != os.getpid()
    if how == "cancel":
        await coordinator.cancel_flow(hanging, "enough")
    elif how == "fail":
        await coordinator.fail_flow(hanging, "enough")
    elif how == "cleanup":
        await coordinator.cleanup()
    else:
        execution.cancel()
        with pytest.raises(asyncio.CancelledError):
            await execution
    record = coordinator.get_result(hanging) if how == "caller" else (await execution)[hanging]
    assert record is not None
    assert record.status is (RunStatus.FAILED if how == "fail" else RunStatus.CANCELLED)
    assert how in {"caller", "cleanup"} or message_of(record) == "enough"
    await spy.ended()


async def test_a_failing_process_flow_is_retried(coordinator: FlowCoordinator, tmp_path: Path) -> None:
    """Each attempt is a run of its own; a killed one and one whose process died are retried too."""
    counter = str(tmp_path / "counter")
    made = flows.failing_until(counter, 3)
    record = await executed(coordinator, made, retries=5)
    assert (record.status, record.return_value) == (RunStatus.COMPLETED, 3)
    assert record.flow_id != made.flow_id
    assert record.params == {"counter": counter, "wanted": 3}
    started = tmp_path / "started"
    late = await executed(coordinator, flows.hanging(str(started)), retries=1, timeout=0.2)
    assert late.status is RunStatus.TIMED_OUT
    assert len(started.read_text("utf-8").split()) == 2
    dead = await executed(coordinator, flows.dying(), retries=1)
    assert dead.status is RunStatus.FAILED


async def test_process_flows_are_bounded(tmp_path: Path) -> None:
    """No more than `max_processes` flows run at once; the others are pending."""
    async with FlowCoordinator(max_processes=1) as coordinator:
        spy = Spy(tmp_path)
        hanging = coordinator.register_flow(flows.hanging(spy.path), flow_type=PROCESS)
        register_all(coordinator, flows.adding(1, 2), flow_type=PROCESS)
        execution = asyncio.create_task(coordinator.execute_all())
        await spy.started()
        assert (coordinator.summary().running, coordinator.summary().pending) == (1, 1)
        await coordinator.cancel_flow(hanging)
        assert [record.status.value for record in (await execution).values()] == ["cancelled", "completed"]
        await spy.ended()


def closure(number: int) -> Flow[int]:
    """A flow that no other process can find."""
    return flow(lambda: number)()


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: closure(1), "the function of flow '<lambda>', of type function"),
        (lambda: flows.given(threading.Lock()), "argument 'value' of flow 'given', of type lock"),
        (lambda: flows.given(db=threading.Lock()), "argument 'db' of flow 'given', of type lock"),
        (lambda: flows.given().provide(db=threading.Lock()), "what flow 'given' is given as 'db', of type lock"),
        (flows.returning_lock, "the return value of flow 'returning_lock', of type lock"),
    ],
)
async def test_what_cannot_travel_is_named(coordinator: FlowCoordinator, make: Any, what: str) -> None:
    """A flow of which a part does not pickle fails, and the error names that part."""
    record = await executed(coordinator, make())
    assert record.status is RunStatus.FAILED
    assert record.error is not None
    assert record.error.type == "SerializationError"
    assert message_of(record).startswith(f"{what}, cannot travel between processes")


async def test_shared_data_that_cannot_travel_is_named(coordinator: FlowCoordinator) -> None:
    """`flow_data` is sent as it is, and refused by key if it cannot be."""
    made = flows.sharing()
    made.flow_data["rows"] = [1, 2]
    assert (await executed(coordinator, made)).return_value == {"rows": [1, 2]}
    other = flows.sharing()
    other.flow_data["lock"] = threading.Lock()
    assert message_of(await executed(coordinator, other)).startswith(
        "flow_data['lock'] of flow 'sharing', of type lock"
    )


async def test_an_output_that_cannot_travel_fails_the_child(coordinator: FlowCoordinator) -> None:
    """A child in a process cannot be given what does not pickle, and says so."""
    register_all(coordinator, named("lock", flows.make_lock))
    child = coordinator.register_flow(Summing(start=1), flow_type=PROCESS)
    coordinator.register_dependency("lock", child, DependencyType.OPTIONAL)
    records = await coordinator.execute_all()
    assert "given as 'upstream'" in message_of(records[child])


async def test_recorded_values_that_cannot_travel_are_described(coordinator: FlowCoordinator) -> None:
    """A record with something in it that does not pickle comes home as its JSON says."""
    record = await executed(coordinator, flows.keeping())
    assert (record.status, record.return_value) == (RunStatus.COMPLETED, "kept")
    (artifact,) = record.artifacts
    assert artifact.data["__type__"] == "_thread.lock"


async def test_values_are_given_though_they_are_not_recorded(coordinator: FlowCoordinator) -> None:
    """The output of a process flow reaches its child where the record does not show it."""
    hidden = Flow[Any](flow_id="hidden", flow_config=FlowConfig(record_return_values=False)).setup(flows.triple, 4)
    coordinator.register_flow(hidden, flow_type=PROCESS)
    register_all(coordinator, named("child", outputs))
    coordinator.register_dependency("hidden", "child")
    records = await coordinator.execute_all()
    assert records["hidden"].return_value is None
    assert records["child"].return_value == {"hidden": 12}


async def test_process_flows_inside_a_flow_are_nested(coordinator: FlowCoordinator) -> None:
    """The record names the flow inside which the coordinator was asked."""
    made = coordinator.register_flow(flows.adding(1, 2), flow_type=PROCESS)

    @flow
    async def outer() -> None:
        await coordinator.execute_all()

    run = await outer()
    record = coordinator.get_result(made)
    assert record is not None
    assert record.parent_flow_id == run.flow_id


def test_process_flows_in_several_loops() -> None:
    """Worker processes serve one event loop after the other."""
    coordinator = FlowCoordinator(max_processes=1)
    ids = register_all(coordinator, *(flows.work(number) for number in range(3)), flow_type=PROCESS)
    values: list[Any] = [asyncio.run(coordinator.execute_flow(one)).return_value for one in ids]
    assert [value["doubled"] for value in values] == [0, 2, 4]
    assert len({value["pid"] for value in values}) == 1
    asyncio.run(coordinator.cleanup())


SCRIPT = """
import asyncio
from flowscope import flow
from flowscope.coordination import FlowCoordinator, FlowType

@flow
def here(number: int) -> int:
    return number + 1

async def main():
    coordinator = FlowCoordinator()
    coordinator.register_flow(here(1), flow_type=FlowType.PROCESS)
    (record,) = (await coordinator.execute_all()).values()
    print(record.status, record.return_value, "" if record.error is None else record.error.message)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_a_flow_of_the_main_module_travels(tmp_path: Path) -> None:
    """A script's own flows run in processes, and the script ends without a cleanup."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, "utf-8")
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("completed 2 \n", "", 0)


def test_a_flow_of_a_main_module_without_a_file_is_refused() -> None:
    """A flow that the worker cannot find by name fails with a `SerializationError`, and nothing hangs."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stdout.startswith("failed None flow 'here', of type bytes, cannot travel between processes")
    assert ended.returncode == 0
