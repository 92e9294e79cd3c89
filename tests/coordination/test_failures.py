"""What a failure means for those that depend on it, and failing a flow from outside."""

import asyncio
import threading
from typing import Any

import pytest

from flowscope import Flow, FlowRun, RunStatus, current_flow, flow
from flowscope.coordination import DependencyType, FlowCoordinator, FlowType
from support.coordination.flows import Gate, Trace, boom, double, forever, named, noop, outputs, register_all, tracing

OPTIONAL = DependencyType.OPTIONAL


def message_of(record: FlowRun | None) -> str | None:
    """Why a flow has not completed."""
    assert record is not None
    return None if record.error is None else record.error.message


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_a_failed_flow_does_not_raise(flow_type: FlowType) -> None:
    """What a flow raises is in its record, with its tasks and its traceback, and others go on."""
    coordinator = FlowCoordinator()

    @flow
    def fails() -> None:
        double(2)
        boom()

    fails_id, other = register_all(coordinator, fails(), named("other", noop), flow_type=flow_type)
    records = await coordinator.execute_all()
    record = records[fails_id]
    assert record.status is RunStatus.FAILED
    assert record.error is not None
    assert (record.error.type, record.error.message) == ("ValueError", "boom")
    assert "in boom" in record.error.traceback
    assert [task.task_name for task in record.tasks] == ["double"]
    assert records[other].status is RunStatus.COMPLETED
    assert coordinator.get_result(fails_id) is record
    assert coordinator.summary().failed == 1
    assert await coordinator.execute_flow(fails_id) is record


async def test_failure_is_transitive_with_reasons() -> None:
    """Each required dependent fails without running, naming the direct dependency; optional ones go on."""
    trace = Trace()
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", boom), *tracing(trace, "b", "c", "d"), named("e", outputs))
    coordinator.register_dependency("a", "b")
    coordinator.register_dependency("b", "c")
    coordinator.register_dependency("c", "d")
    coordinator.register_dependency("c", "e", OPTIONAL)
    records = await coordinator.execute_all()
    assert trace.happened == []
    assert {name: record.status.value for name, record in records.items()} == {
        "a": "failed", "b": "failed", "c": "failed", "d": "failed", "e": "completed",
    }  # fmt: skip
    assert message_of(records["b"]) == "required dependency 'a' failed"
    assert message_of(records["c"]) == "required dependency 'b' failed"
    assert message_of(records["d"]) == "required dependency 'c' failed"
    assert records["e"].return_value == {}


async def test_the_record_of_a_flow_that_was_not_run() -> None:
    """It has the flow's id, name, inputs and tags, no times, no tasks, and comes back from its JSON."""

    @flow(flow_name="load", tags=("nightly",))
    def load(path: str) -> None: ...

    coordinator = FlowCoordinator()
    bad, child = register_all(coordinator, Flow[None]().setup(boom), load("here"))
    coordinator.register_dependency(bad, child)
    record = await coordinator.execute_flow(child)
    assert (record.flow_id, record.flow_name, record.params, record.tags) == (
        child, "load", {"path": "here"}, ("nightly",),
    )  # fmt: skip
    assert (record.start_time, record.end_time, record.duration, record.tasks, record.logs) == (None, None, 0.0, [], [])
    assert record.error is not None
    assert record.error.type == "CoordinationError"
    assert FlowRun.model_validate_json(record.model_dump_json()) == record


async def test_a_childs_failure_is_its_own() -> None:
    """A parent whose child fails stays completed, and so do the child's siblings."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("parent", noop), named("bad", boom), named("good", noop))
    coordinator.register_dependency("parent", "bad")
    coordinator.register_dependency("parent", "good")
    records = await coordinator.execute_all()
    assert [record.status.value for record in records.values()] == ["completed", "failed", "completed"]


async def test_one_failed_required_dependency_is_enough_at_once() -> None:
    """A flow fails as soon as one of its required dependencies has, though others still run."""
    coordinator = FlowCoordinator()
    ending = asyncio.Event()
    register_all(coordinator, named("bad", boom), named("slow", ending.wait), named("child", noop))
    coordinator.register_dependency("slow", "child")
    coordinator.register_dependency("bad", "child")
    execution = asyncio.create_task(coordinator.execute_flow("child"))
    records = await coordinator.wait_for_flows({"child"})
    assert message_of(records["child"]) == "required dependency 'bad' failed"
    assert coordinator.get_result("slow") is None
    ending.set()
    assert await execution is records["child"]
    assert coordinator.summary().completed == 1


async def test_a_pending_flow_is_failed_from_outside() -> None:
    """`fail_flow` settles a flow that has not started, and what requires it; it never runs then."""
    trace = Trace()
    coordinator = FlowCoordinator()
    register_all(coordinator, *tracing(trace, "a", "b", "c"))
    coordinator.register_dependency("a", "b")
    coordinator.register_dependency("a", "c", OPTIONAL)
    await coordinator.fail_flow("a", "the disk is full")
    assert message_of(coordinator.get_result("a")) == "the disk is full"
    assert message_of(coordinator.get_result("b")) == "required dependency 'a' failed"
    assert coordinator.get_result("c") is None
    await coordinator.execute_all()
    assert trace.happened == ["c"]
    assert coordinator.summary().failed == 2


async def test_a_running_flow_is_failed_from_outside() -> None:
    """An async flow is cancelled where it awaits, and its record keeps what it did, under the reason given."""
    started = asyncio.Event()
    seen: list[BaseException] = []

    async def child() -> None:
        double(1)
        started.set()
        try:
            await forever()
        except asyncio.CancelledError as error:
            seen.append(error)
            raise

    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", child), named("b", noop))
    coordinator.register_dependency("a", "b")
    execution = asyncio.create_task(coordinator.execute_all())
    await started.wait()
    await coordinator.fail_flow("a", "enough")
    result = coordinator.get_result("a")
    assert result is not None
    assert (result.status, message_of(result)) == (RunStatus.FAILED, "enough")
    assert [task.status for task in result.tasks] == [RunStatus.COMPLETED]
    assert result.end_time is not None
    assert len(seen) == 1
    assert message_of((await execution)["b"]) == "required dependency 'a' failed"


async def test_a_flow_that_ignores_its_cancellation_has_failed_all_the_same() -> None:
    """A flow that swallows the cancellation and returns a value is failed: that is what was said of it."""
    started = asyncio.Event()

    async def stubborn() -> str:
        started.set()
        try:
            await forever()
        except asyncio.CancelledError:
            pass
        return "a value"

    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", stubborn), named("b", outputs))
    coordinator.register_dependency("a", "b", OPTIONAL)
    execution = asyncio.create_task(coordinator.execute_all())
    await started.wait()
    await coordinator.fail_flow("a", "enough")
    records = await execution
    assert (records["a"].status, records["a"].return_value) == (RunStatus.FAILED, None)
    assert records["b"].return_value == {}


async def test_a_flow_in_a_thread_is_failed_at_once() -> None:
    """A running thread is left behind: the answer comes at once, and its later end changes nothing."""
    gate = Gate()
    ended = threading.Event()

    def child() -> str:
        gate.wait()
        ended.set()
        return "late"

    coordinator = FlowCoordinator()
    made = named("a", child)
    coordinator.register_flow(made, flow_type=FlowType.THREAD)
    execution = asyncio.create_task(coordinator.execute_all())
    await gate.until_reached()
    await coordinator.fail_flow("a", "enough")
    record = (await execution)["a"]
    assert (record.status, message_of(record)) == (RunStatus.FAILED, "enough")
    assert not ended.is_set()
    gate.opened.set()
    await asyncio.to_thread(ended.wait, 30)
    assert coordinator.get_result("a") is record


async def test_a_settled_flow_stays_as_it_is() -> None:
    """Failing or cancelling what has settled changes neither it nor its dependents."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", noop), named("b", noop), named("c", noop))
    coordinator.register_dependency("a", "b")
    record = await coordinator.execute_flow("a")
    await coordinator.fail_flow("a", "too late")
    await coordinator.cancel_flow("a", "too late")
    await coordinator.handle_flow_failure("a")
    assert coordinator.get_result("a") is record
    assert coordinator.get_result("b") is None
    await coordinator.cancel_flow("c", "first")
    await coordinator.fail_flow("c", "second")
    assert message_of(coordinator.get_result("c")) == "first"


async def test_the_first_word_counts() -> None:
    """Of several verdicts on a running flow the first one is its outcome."""
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", forever))
    execution = asyncio.create_task(coordinator.execute_all())
    await asyncio.sleep(0)
    await asyncio.gather(
        coordinator.fail_flow("a", "first"), coordinator.cancel_flow("a", "second"), coordinator.fail_flow("a", "third")
    )
    assert message_of((await execution)["a"]) == "first"


async def test_a_flow_fails_itself() -> None:
    """A running flow may fail itself through its coordinator: it is cancelled at that `await`."""
    coordinator = FlowCoordinator()
    trace = Trace()

    async def child() -> None:
        await coordinator.fail_flow("a", "by itself")
        trace.note("went on")

    coordinator.register_flow(named("a", child))
    record = await coordinator.execute_flow("a")
    assert (record.status, message_of(record)) == (RunStatus.FAILED, "by itself")
    assert trace.happened == []


async def test_handling_a_failure_fails_what_requires_it() -> None:
    """`handle_flow_failure` fails required dependents, and theirs, with reasons, and leaves optional ones."""
    coordinator = FlowCoordinator()
    register_all(coordinator, *(named(name, noop) for name in "abcdef"))
    for parent, child in (("a", "b"), ("b", "c")):
        coordinator.register_dependency(parent, child)
    coordinator.register_dependency("a", "d", OPTIONAL)
    coordinator.register_dependency("b", "e", OPTIONAL)
    await coordinator.handle_flow_failure("a")
    assert message_of(coordinator.get_result("b")) == "required dependency 'a' failed"
    assert message_of(coordinator.get_result("c")) == "required dependency 'b' failed"
    assert [coordinator.get_result(name) for name in "adef"] == [None] * 4
    await coordinator.handle_flow_failure("a")
    records = await coordinator.execute_all()
    assert [records[name].status.value for name in "adef"] == ["completed"] * 4


async def test_failing_wakes_those_who_wait() -> None:
    """Waiting for a flow holds nothing up: it can be failed at once, and the waiters wake by that."""
    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", noop), named("b", noop))
    coordinator.register_dependency("a", "b")
    waiting = [asyncio.create_task(coordinator.wait_for_flows({"a", "b"}, timeout=30)) for _ in range(5)]
    await asyncio.sleep(0)
    await coordinator.fail_flow("a", "no")
    for records in await asyncio.gather(*waiting):
        assert {name: message_of(record) for name, record in records.items()} == {
            "a": "no", "b": "required dependency 'a' failed",
        }  # fmt: skip


@pytest.mark.slow
async def test_a_failing_chain_of_ten_thousand() -> None:
    """The failure of the first of 10,000 flows settles all without recursion."""
    coordinator = FlowCoordinator()
    names = [str(number) for number in range(10_000)]
    register_all(coordinator, named(names[0], boom), *(named(name, noop) for name in names[1:]))
    for parent, child in zip(names, names[1:], strict=False):
        coordinator.register_dependency(parent, child)
    record = await coordinator.execute_flow(names[-1])
    assert message_of(record) == "required dependency '9998' failed"
    assert coordinator.summary().failed == 10_000


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
@pytest.mark.parametrize("raised", [GeneratorExit, asyncio.CancelledError])
async def test_other_base_exceptions_cancel_the_flow(flow_type: FlowType, raised: type[BaseException]) -> None:
    """A flow that raises a `BaseException` is cancelled, with what requires it, and the caller goes on."""

    def child() -> None:
        raise raised("from inside")

    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", child), named("b", noop), named("c", noop), flow_type=flow_type)
    coordinator.register_dependency("a", "b")
    records = await coordinator.execute_all()
    assert [record.status.value for record in records.values()] == ["cancelled", "cancelled", "completed"]
    assert records["a"].error is not None
    assert records["a"].error.type == raised.__name__
    assert message_of(records["b"]) == "required dependency 'a' was cancelled"


class Custom(BaseException):
    """Neither an interrupt nor an `Exception`."""


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_a_custom_base_exception_stays_in_the_record(flow_type: FlowType) -> None:
    """It neither ends the loop nor is it logged as never retrieved."""

    def child() -> None:
        raise Custom

    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", child), flow_type=flow_type)
    assert (await coordinator.execute_all())["a"].status is RunStatus.CANCELLED


def test_an_interrupt_passes_through() -> None:
    """The `KeyboardInterrupt` of an inline flow ends the loop; its record ends first, the others with it."""
    coordinator = FlowCoordinator()
    error = KeyboardInterrupt("now")

    async def interrupting() -> None:
        raise error

    register_all(coordinator, named("a", forever), named("b", interrupting), named("c", noop))
    coordinator.register_dependency("b", "c")
    with pytest.raises(KeyboardInterrupt) as caught:
        asyncio.run(coordinator.execute_all())
    assert caught.value is error
    for name in "abc":
        record = coordinator.get_result(name)
        assert record is not None
        assert record.status is RunStatus.CANCELLED


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
async def test_an_interrupt_in_a_thread_is_that_threads(raised: type[BaseException]) -> None:
    """In a thread it ends the flow, and nothing else."""

    def interrupting() -> None:
        raise raised

    coordinator = FlowCoordinator()
    register_all(coordinator, named("a", interrupting), named("b", noop), flow_type=FlowType.THREAD)
    records = await coordinator.execute_all()
    assert [record.status.value for record in records.values()] == ["cancelled", "completed"]


@pytest.mark.parametrize("flow_type", [FlowType.INLINE, FlowType.THREAD])
async def test_stop_iteration_is_a_failure_like_any_other(flow_type: FlowType) -> None:
    """A flow that raises `StopIteration`, which futures refuse, fails, and nobody waits for ever."""

    def child() -> None:
        raise StopIteration("no more")

    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", child), flow_type=flow_type)
    record = (await coordinator.execute_all())["a"]
    assert (record.status, record.error and record.error.type) == (RunStatus.FAILED, "StopIteration")


async def test_a_reason_may_be_anything_printable() -> None:
    """A reason with quotes, newlines and lone surrogates is kept as text that JSON can hold."""
    coordinator = FlowCoordinator()
    coordinator.register_flow(named("a", noop))
    reason: Any = 'tab\t"quote"\nline \ud800'
    await coordinator.fail_flow("a", reason)
    record = coordinator.get_result("a")
    assert record is not None
    assert "quote" in (message_of(record) or "")
    assert FlowRun.model_validate_json(record.model_dump_json()).error == record.error


async def test_the_current_flow_is_none_after_it_all() -> None:
    """Failing flows leave nothing of their context behind."""
    coordinator = FlowCoordinator()

    @flow
    async def outer() -> str:
        register_all(coordinator, named("a", boom))
        await coordinator.execute_all()
        return current_flow().flow_name

    assert (await outer()).return_value == "outer"
