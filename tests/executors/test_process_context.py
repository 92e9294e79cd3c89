"""What a flow gives its tasks, and what its config says of them, holds in worker processes."""

import threading
from typing import Any, Final

import pytest

from flowscope import (
    EventType,
    Executor,
    Flow,
    FlowConfig,
    FlowRun,
    ParameterError,
    ProcessExecutor,
    RemoteDataError,
    RunStatus,
    submit,
    use_executor,
)
from support.executors import process_context as tasks
from support.executors import process_tasks
from support.executors.gate import Gate
from support.executors.process_payloads import raise_kind
from support.executors.process_tasks import Boom, leaf

DATA: Final[dict[str, Any]] = {"rows": [1, 2], "name": {"deep": (1, 2)}}


def prints(made: Flow[Any]) -> list[str]:
    return [entry.message for entry in made.flow_run.logs if entry.source == "stdout"]


@pytest.mark.parametrize("how", tasks.WRITES)
def test_the_shared_data_cannot_be_written_there(workers: Executor, how: str) -> None:
    """Every way to write to `flow_data` raises an error that says what to do, and changes nothing here or there."""
    with Flow[None]() as made, use_executor(workers):
        made.flow_data.update(DATA)
        found = submit(tasks.write_data, how).result()
    assert "cannot be written in another process" in found.pop("error")
    key = found.pop("key")
    assert key in {None, "rows", "new", "missing"}
    assert found == DATA
    assert made.flow_data == DATA


def test_a_write_that_is_not_handled_fails_the_task(workers: Executor) -> None:
    """The error arrives as itself, with its key, also when the data is reached through the flow."""
    with Flow[None]() as made, use_executor(workers):
        for error in (submit(tasks.write_through_flow, "k").exception(), submit(tasks.write_unhandled).exception()):
            assert isinstance(error, RemoteDataError)
            assert error.key in {"k", "rows"}
    assert made.flow_data == {}


def test_the_shared_data_can_be_read_in_all_ways(workers: Executor) -> None:
    """The snapshot is a dictionary in whatever way it is read."""
    with Flow[None]() as made, use_executor(workers):
        made.flow_data.update(DATA)
        found = submit(tasks.read_in_all_ways).result()
    whole = DATA
    assert found == {
        "item": [1, 2],
        "get": [1, 2],
        "default": "default",
        "in": (True, False),
        "len": 2,
        "keys": ["name", "rows"],
        "items": sorted(map(str, whole.items())),
        "dict": whole,
        "copy": whole,
        "shallow": whole,
        "deep": whole,
        "json": {"rows": [1, 2], "name": {"deep": [1, 2]}},
        "merged": {**whole, "more": 1},
        "setdefault": [1, 2],
        "same": True,
        "of the flow": True,
        "equal to current": True,
        "is a dict": True,
        "unpacked": whole,
    }


def test_it_is_a_snapshot(worker: ProcessExecutor, gate: Gate) -> None:
    """A value that a task changes there is not changed here, nor for the next task; each attempt has its own snapshot."""
    with Flow[None]() as made, use_executor(worker):
        made.flow_data["rows"] = [1, 2]
        assert submit(tasks.append_to_rows).result() == [1, 2, 3]
        assert submit(tasks.append_to_rows).result() == [1, 2, 3]
        assert made.flow_data == {"rows": [1, 2]}
        future = submit(tasks.read_again, gate.address)
        (visitor,) = gate.wait_for()
        made.flow_data["rows"] = "changed"
        visitor.let_go()
        assert future.result() == "changed"


def test_providers_are_opened_and_closed_there(workers: Executor) -> None:
    """A provider is opened in the worker, once for each attempt, and closed at its end; what it prints is the task's."""
    with Flow[None]() as made, use_executor(workers):
        assert "sync of" in submit(tasks.use_provider).result()
    assert prints(made) == [
        "sync opened in attempt 1",
        "sync closed",
        "sync opened in attempt 2",
        "used",
        "sync closed",
    ]
    assert {entry.task_id for entry in made.flow_run.logs} == {made.flow_run.tasks[0].task_id}


def test_async_providers_are_opened_there(workers: Executor) -> None:
    """Providers of an async task, sync and async, are closed in reverse order."""
    with Flow[None]() as made, use_executor(workers):
        assert submit(tasks.use_providers_async).result() == ["sync", "async"]
    assert prints(made) == [
        "sync opened in attempt 1",
        "async opened in attempt 1",
        "used",
        "async closed",
        "sync closed",
    ]


def test_providers_of_the_flow_are_opened_once_an_attempt(workers: Executor) -> None:
    """A provider of `scope="flow"` is opened once in the attempt, shared by its nested tasks, and closed at its end."""
    with Flow[None]() as made, use_executor(workers):
        one, two, three = submit(tasks.use_shared).result()
        assert one == two == three
        submit(tasks.use_shared).result()
    assert prints(made) == ["shared opened", "shared closed"] * 2


def test_providers_that_fail_fail_the_task(workers: Executor) -> None:
    """What a provider raises when it is opened or closed is the task's failure."""
    with Flow[None]() as made, use_executor(workers):
        for failing, text in ((tasks.use_failing, "of the provider"), (tasks.use_failing_close, "while closing")):
            error = submit(failing).exception()
            assert isinstance(error, Boom)
            assert str(error) == text
        assert submit(leaf, 1).result() == 1
    assert [one.status for one in made.flow_run.tasks[:2]] == [RunStatus.FAILED] * 2


def test_provided_values_are_injected_there(workers: Executor) -> None:
    """What a flow provides is injected as a copy; an explicit argument wins; provided names win over built-in ones."""
    setup = tasks.Setup("given", [1])
    with Flow[None]().provide(setup=setup) as made, use_executor(workers):
        made.flow_data["k"] = 1
        found, data, name = submit(tasks.use_provided).result()
        assert (found, data, name) == (tasks.Setup("given", [1, 99]), {"k": 1}, "use_provided")
        assert submit(tasks.override_provided, setup="mine").result() == "mine"
    assert setup.rows == [1]
    assert made.flow_run.tasks[0].input_kwargs == {}
    with Flow[None]().provide(flow_data="provided"), use_executor(workers):
        assert submit(tasks.shadow).result() == "provided"


def test_the_hook_of_a_subclass_provides_there(workers: Executor) -> None:
    """What `task_dependencies` returns is injected in workers too."""
    with use_executor(workers):
        assert tasks.Hooked().execute().return_value == tasks.Setup("hooked", [1, 99])


def test_the_time_that_remains(workers: Executor) -> None:
    """A task with a timeout sees its time pass; one without has no deadline, nor have its nested tasks."""
    with Flow[None](), use_executor(workers):
        first, second = submit(tasks.remaining).result()
        assert 30 >= first > second + 0.04
        assert second > 20
        assert submit(tasks.remaining_without).result() == (None, None)


def test_a_task_knows_itself_there(workers: Executor) -> None:
    """Ids, names, attempt, status, tags, data and config are those of the record."""
    config = FlowConfig(log_level="INFO", redact=("own",))
    with Flow[None](flow_name="f", tags=("x",), flow_config=config) as made, use_executor(workers):
        future = submit(tasks.describe)
        found = future.result()
    assert found["same"] == (True, True)
    assert found["task"] == (future.task_id, "describe", 1, "running")
    assert found["flow"] == (made.flow_id, "f", ("x",))
    assert found["data"] == {"own": 1}
    assert (found["config"]["log_level"], found["config"]["redact"]) == ("INFO", ["own"])
    assert made.flow_run.tasks[0].tags == ("a", "b")


def test_methods_of_a_flow_class_run_there(workers: Executor) -> None:
    """Methods of a `Flow` subclass, called and submitted, sync and async, see its fields and id and speak for it."""
    with use_executor(workers):
        made = tasks.Ingest(url="u", batch=5).execute()
    there = f"/5 in {made.flow_id}"
    assert made.return_value == [f"u/{part}{there}" for part in (1, 2, 3, 4, 1, 2)]
    record = made.flow_run
    assert [one.task_name for one in record.tasks] == [*["load"] * 3, "load_async", "load_all", "load", "load"]
    assert {one.executor for one in record.tasks[:5]} == {"process"}
    assert [one.message for one in record.logs if one.task_id] == [f"load {part}" for part in (1, 2, 3, 4, 1, 2)]
    assert [one.value for one in record.results if one.key == "part"] == [1, 2, 3, 1, 2]
    assert record.tasks[0].input_args == [1]


def test_a_flow_that_a_task_changes_there_is_a_copy(workers: Executor) -> None:
    """Fields that a method changes in a worker are not changed here."""
    with use_executor(workers):
        assert tasks.Changing(url="u").execute().return_value == (7, 100, [1, 2])


def test_methods_of_a_model_run_there(workers: Executor) -> None:
    """Methods of a Pydantic model see its fields; a model comes back as an equal one."""
    model = tasks.Model(factor=3, inner=tasks.Model(factor=4))
    with Flow[None](), use_executor(workers):
        assert submit(model.scale, 5).result() == 15
        assert submit(model.scale_twice, 5).result() == 45
        assert submit(model.copy_of).result() == model


def test_arguments_are_validated(workers: Executor) -> None:
    """`validate=True` coerces and refuses as anywhere, also in nested calls; the error arrives with its attributes."""
    wrong: Any = "x"
    with Flow[None]() as made, use_executor(workers):
        numeral: Any = "3"
        assert submit(tasks.strict, numeral, model=None).result() == (3, [], None)
        for future in (submit(tasks.strict, wrong), submit(tasks.strict, -1), submit(tasks.call_strict, wrong)):
            error = future.exception()
            assert isinstance(error, ParameterError)
            assert (error.function, error.parameter) == ("task 'strict'", "number") or "strict" in error.function
    assert [one.status for one in made.flow_run.tasks][1:] == [RunStatus.FAILED] * 4


def test_secrets_are_masked(workers: Executor) -> None:
    """Arguments, keys, artifacts and results that are to be redacted are masked, nested ones and events too; not the value."""
    config = FlowConfig(capture_events=True)
    with Flow[None](flow_config=config) as made, use_executor(workers):
        found = submit(tasks.log_in, "HUSH", token="HUSH", user="ada").result()
    assert found == {"token": "HUSH", "user": "ada"}
    text = made.flow_run.model_dump_json()
    assert "HUSH" not in text
    assert text.count("ada") >= 3
    assert "**********" in text


def test_secrets_are_masked_by_value(workers: Executor) -> None:
    """A secret that a task in a worker prints, logs, adds and raises is masked by what it is."""
    secret = "hush-Hush-hush"
    config = FlowConfig(capture_events=True, raise_flow_error=False, print_error_stack_trace=True)
    with Flow[None](flow_config=config) as made, use_executor(workers):
        submit(tasks.give_away, secret).exception()
    text = "\n".join([made.flow_run.model_dump_json(), made.flow_run_json().decode(), *made.log_messages()])
    assert secret not in text
    assert secret[::-1] not in text
    assert text.count("printed **********") >= 3
    FlowRun.model_validate_json(made.flow_run_json())


def test_the_console(workers: Executor, capfd: pytest.CaptureFixture[str]) -> None:
    """With `log_to_console` all lines of a worker are shown by this process, once; prints to stderr on stderr."""
    with Flow[None](flow_config=tasks.Loud()), use_executor(workers):
        submit(process_tasks.talk).result()
    out, err = capfd.readouterr()
    assert out.count("printed\n") == 1
    assert "| DEBUG    | debug by the task" in out
    assert "| WARNING  | warned by the flow" in out
    assert "logged 1" in out
    assert "to stderr" not in out
    assert err.count("to stderr\n") == 1


def test_nothing_is_shown_otherwise(workers: Executor, capfd: pytest.CaptureFixture[str]) -> None:
    """Without it nothing of a task in a worker is shown, whatever happens to it."""
    with Flow[None](), use_executor(workers):
        submit(process_tasks.talk).result()
        submit(raise_kind, "edgy").exception()
        submit(process_tasks.talk_then_die, 3).exception()
        submit(leaf, 1).result()
    out, err = capfd.readouterr()
    assert out == ""
    assert [line for line in err.splitlines() if "in private" not in line and "the end" not in line] == []


def test_the_log_is_printed_at_the_end(workers: Executor, capfd: pytest.CaptureFixture[str]) -> None:
    """`print_logs` prints the lines of workers with the others, once."""
    with Flow[None](flow_config=FlowConfig(print_logs=True)), use_executor(workers):
        submit(leaf, 5).result()
    out, _ = capfd.readouterr()
    assert out.count("leaf 5") == 1


def test_inputs_and_values_are_not_recorded(workers: Executor) -> None:
    """`record_inputs` and `record_return_values` hold for tasks in workers, and those nested there."""
    config = FlowConfig(record_inputs=False, record_return_values=False)
    with Flow[None](flow_config=config) as made, use_executor(workers):
        assert submit(process_tasks.call_many).result() == 10
    for one in made.flow_run.tasks:
        assert (one.input_args, one.input_kwargs, one.return_value) == ([], {}, None)


def test_tasks_are_counted_where_they_are_not_kept(workers: Executor) -> None:
    """With `add_task_to_self=False` tasks in workers, and those nested there, are counted and timed, and their lines kept."""
    with Flow[None](flow_config=FlowConfig(add_task_to_self=False)) as made, use_executor(workers):
        for _ in range(3):
            submit(process_tasks.call_many).result()
        assert isinstance(submit(process_tasks.fail, "x").exception(), Boom)
    record = made.flow_run
    assert record.tasks == []
    assert record.dropped.tasks == 3 * 9 + 1
    calls = made.durations().calls
    assert {name: timing.count for name, timing in calls.items()} == {
        "call_many": 3,
        "leaf": 12,
        "fail_quietly": 3,
        "fail_at_first": 3,
        "fail_always": 3,
        "fail": 4,
    }
    assert prints(made).count("leaf 1") == 6


@pytest.mark.parametrize("keeps", [True, False])
def test_ids_are_the_same_where_tasks_are_not_kept(workers: Executor, keeps: bool) -> None:
    """The ids that nested tasks see in a worker are those that events name, whether tasks are kept or not."""
    config = FlowConfig(add_task_to_self=keeps, capture_events=True)
    with Flow[None](flow_config=config) as made, use_executor(workers):
        seen = [*submit(tasks.tell_ids).result(), *submit(tasks.tell_ids).result()]
    told = [event.event_data.task_run_id for event in made.flow_run.events if event.event_type is EventType.TASK_START]
    assert told == seen
    assert len(set(seen)) == 6


def test_what_is_switched_off_stays_off(workers: Executor) -> None:
    """Without logging, capture of prints or of `logging`, and below the level, nothing of a worker is recorded."""
    for config, wanted in (
        (FlowConfig(logging_enabled=False), []),
        (FlowConfig(log_to_memory=False), []),
        (FlowConfig(capture_logging=False), ["log", "stderr", "stdout"]),
        (FlowConfig(log_level="WARNING"), ["log", "logging"]),
        (FlowConfig(log_level="CRITICAL"), ["logging"]),
    ):
        with Flow[None](flow_config=config) as made, use_executor(workers):
            submit(process_tasks.talk).result()
        assert sorted({entry.source for entry in made.flow_run.logs}) == wanted, config


def test_prints_are_left_alone(workers: Executor, capfd: pytest.CaptureFixture[str]) -> None:
    """With `capture_stdout=False` prints go to the worker's own output."""
    with Flow[None](flow_config=FlowConfig(capture_stdout=False)) as made, use_executor(workers):
        submit(leaf, 1).result()
    assert prints(made) == []
    capfd.readouterr()


def test_messages_are_heard_where_they_are_not_kept(workers: Executor) -> None:
    """With `log_to_memory=False` listeners still hear every line of a worker."""
    heard: list[str] = []
    with Flow[None](flow_config=FlowConfig(log_to_memory=False)) as made, use_executor(workers):
        made.add_listener(
            lambda event: heard.append(event.event_data.data["message_data"]["message_text"]), EventType.FLOW_MESSAGE
        )
        submit(leaf, 1).result()
    assert heard == ["leaf 1"]
    assert made.flow_run.logs == []


def test_finished_messages_and_tracebacks(workers: Executor) -> None:
    """`print_finished_message` and `print_error_stack_trace` hold for tasks in workers, once for each."""
    config = FlowConfig(print_finished_message=True, print_error_stack_trace=True)
    with Flow[None](flow_config=config) as made, use_executor(workers):
        submit(process_tasks.fail_inside).exception()
    lines = [entry.message for entry in made.flow_run.logs if entry.source == "log"]
    finished = [line.split(":")[0] for line in lines if line.startswith("task") and "finished" in line]
    assert finished == ["task 'leaf' finished", "task 'fail' finished", "task 'fail_inside' finished"]
    tracebacks = [line for line in lines if "Traceback" in line]
    assert len(tracebacks) == 2
    assert all("process_tasks.py" in line for line in tracebacks)


def test_thirty_flows_share_two_workers(workers: Executor) -> None:
    """Flows in threads of their own on one pool each get their own, in order, with no gap in their events."""
    ready = threading.Barrier(30)
    made = [Flow[Any](flow_name=f"f{number}", flow_config=FlowConfig(capture_events=True)) for number in range(30)]

    def body(number: int) -> list[Any]:
        ready.wait(30)
        futures = [submit(leaf, number * 100 + one) for one in range(5)]
        futures.append(submit(process_tasks.call_many))
        return [future.result() for future in futures]

    def execute(number: int) -> None:
        with use_executor(workers):
            made[number].setup(body, number).execute()

    threads = [threading.Thread(target=execute, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, one in enumerate(made):
        wanted = [number * 100 + leaf_number for leaf_number in range(5)]
        assert one.return_value == [*wanted, 10]
        record = one.flow_run
        assert [event.sequence for event in record.events] == list(range(1, len(record.events) + 1))
        assert {event.event_data.flow_run_id for event in record.events} == {one.flow_id}
        by_id = {task.task_id: task for task in record.tasks}
        assert len(by_id) == len(record.tasks) == 6 + 8
        assert all(one.flow_id.removeprefix("flow-") in task_id for task_id in by_id)
        for value, task in zip(wanted, record.tasks, strict=False):
            lines = [entry.message for entry in record.logs if entry.task_id == task.task_id]
            assert lines == [f"leaf {value}"]
        orders = [task.execution_order for task in record.tasks]
        assert sorted(orders) == list(range(1, len(orders) + 1))
