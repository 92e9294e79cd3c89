"""What travels to worker processes and back, and what is said of that which cannot."""

import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from flowscope import (
    Executor,
    Flow,
    FlowConfig,
    FlowRun,
    ProcessExecutor,
    RemoteTaskError,
    RunStatus,
    SerializationError,
    TaskFuture,
    WorkerDiedError,
    submit,
    task,
    use_executor,
)
from support.executors import process_payloads as cargo
from support.executors.process_tasks import Boom, echo, leaf, make_bytes, measure

TOLERANT: Final = FlowConfig(raise_flow_error=False)


def error_of(function: Any, *args: Any, **kwargs: Any) -> BaseException:
    """What a submitted task raises."""
    error = submit(function, *args, **kwargs).exception()
    assert error is not None
    return error


def serialization_error(function: Any, *args: Any, **kwargs: Any) -> SerializationError:
    """What a submitted task raises, which cannot travel."""
    error = error_of(function, *args, **kwargs)
    assert isinstance(error, SerializationError), repr(error)
    return error


def check_healthy() -> None:
    """The worker answers what it is asked."""
    assert [submit(echo, number).result() for number in range(3)] == [0, 1, 2]


@pytest.mark.slow
def test_fifty_megabytes_there_and_back(workers: Executor) -> None:
    """An argument, a value, or both, may have 50 MB."""
    size = 50_000_000
    with Flow[None](flow_config=FlowConfig(record_inputs=False, record_return_values=False)), use_executor(workers):
        assert submit(measure, b"x" * size).result() == size
        assert len(submit(make_bytes, size).result()) == size
        assert submit(echo, "y" * size).result() == "y" * size


def test_two_workers_carry_much_at_once(workers: Executor) -> None:
    """Many big arguments and values cross on their way and do not mix."""
    with Flow[None](), use_executor(workers):
        futures = [submit(echo, bytes([number]) * 5_000_000) for number in range(8)]
        for number, future in enumerate(futures):
            assert future.result() == bytes([number]) * 5_000_000


def nested(depth: int) -> Any:
    """Lists in lists."""
    made: Any = []
    for _ in range(depth):
        made = [made]
    return made


def test_deep_values_travel_as_far_as_pickle_goes(workers: Executor) -> None:
    """What pickle can nest travels; what it cannot is named, as an argument and as a value."""
    with Flow[None](), use_executor(workers):
        assert submit(echo, nested(100)).result() == nested(100)
        error = serialization_error(echo, nested(100_000))
        assert (error.what, error.value_type) == ("argument 'value' of task 'echo'", "list")
        assert "RecursionError" in error.reason
        error = serialization_error(cargo.return_kind, "deep")
        assert (error.what, error.value_type) == ("the return value of task 'return_kind'", "list")
        check_healthy()


def make_lambda() -> Any:
    return lambda: 1


@pytest.mark.parametrize(
    ("make", "kind", "reason"),
    [
        (make_lambda, "function", "lambda"),
        (lambda: cargo.RefusesToPickle(Boom("not me")), "RefusesToPickle", "Boom: not me"),
        (lambda: (one for one in "ab"), "generator", "generator"),
        (lambda: memoryview(b"x"), "memoryview", "memoryview"),
    ],
    ids=["lambda", "refuses", "generator", "memory"],
)
def test_an_argument_that_cannot_be_sent_is_named(
    workers: Executor, make: Callable[[], Any], kind: str, reason: str
) -> None:
    """The error names the argument, by position or by name, its type and what pickle says; the task has not run."""
    with Flow[None]() as made, use_executor(workers):
        error = serialization_error(echo, make())
        assert (error.what, error.value_type) == ("argument 'value' of task 'echo'", kind)
        assert reason in error.reason
        assert serialization_error(leaf, 1, factor=make()).what == "argument 'factor' of task 'leaf'"
        check_healthy()
    assert [one.status for one in made.flow_run.tasks[:2]] == [RunStatus.FAILED] * 2


def test_an_argument_that_cannot_be_read_is_named(workers: Executor) -> None:
    """An argument that the worker cannot read is named, with its type and what went wrong."""
    with Flow[None](), use_executor(workers):
        error = serialization_error(echo, cargo.OnlyHere())
        assert "argument 'value'" in error.what
        assert "task 'echo'" in error.what
        assert "it cannot be read on this side" in error.reason
        assert "argument 'factor'" in serialization_error(leaf, 1, factor=cargo.OnlyHere()).what
        check_healthy()


@pytest.mark.parametrize("kind", ["lambda", "lock", "generator", "refuses", "only there"])
def test_a_value_that_cannot_travel_is_named(workers: Executor, kind: str) -> None:
    """A value that cannot be sent by the worker, or read here, is named with its task; the record shows a failure."""
    with Flow[None]() as made, use_executor(workers):
        error = serialization_error(cargo.return_kind, kind)
        assert error.what == "the return value of task 'return_kind'"
        assert error.reason
        check_healthy()
    first = made.flow_run.tasks[0]
    assert first.status is RunStatus.FAILED
    assert first.error is not None
    assert first.error.type == "SerializationError"


def test_an_argument_that_ends_its_reader(workers: Executor) -> None:
    """An argument at which the worker dies fails its task, once, with the exit code; the next one gets a new worker."""
    with Flow[None](), use_executor(workers):
        error = error_of(echo, cargo.ExitsWhenRead())
        assert isinstance(error, WorkerDiedError)
        assert (error.task_name, error.exit_code) == ("echo", 5)
        check_healthy()


@pytest.mark.parametrize("error", [SystemExit(4), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_an_argument_that_interrupts_its_reader(workers: Executor, error: BaseException) -> None:
    """An argument that raises what is no `Exception` where it is read fails its task and no other."""
    with Flow[None](), use_executor(workers):
        found = error_of(echo, cargo.RaisesWhenRead(error))
        assert isinstance(found, (WorkerDiedError, SerializationError))
        check_healthy()


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(4), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_a_value_that_interrupts_its_reader(workers: Executor, error: BaseException) -> None:
    """A value that raises whatever where it is read, here, fails its task and no other."""
    with Flow[None](flow_config=TOLERANT), use_executor(workers):
        assert isinstance(error_of(cargo.return_raising, error), SerializationError)
        check_healthy()


def test_what_is_slowly_read(workers: Executor) -> None:
    """An argument and a value that take their time to be read arrive."""
    with Flow[None](), use_executor(workers):
        assert isinstance(submit(echo, cargo.Slow()).result(), cargo.Slow)
        check_healthy()


@pytest.mark.parametrize("error", [Boom("not me"), RecursionError("too deep"), MemoryError("too big")], ids=repr)
def test_arguments_that_raise_when_they_are_sent(workers: Executor, error: Exception) -> None:
    """Whatever an argument raises when it is pickled is told in the error that names it."""
    with Flow[None](), use_executor(workers):
        found = serialization_error(echo, cargo.RefusesToPickle(error))
        assert found.what == "argument 'value' of task 'echo'"
        assert str(error) in found.reason
        check_healthy()


@pytest.mark.parametrize("error", [KeyboardInterrupt("pressed"), SystemExit(2)], ids=repr)
def test_an_interrupt_while_an_argument_is_sent(workers: Executor, error: BaseException) -> None:
    """What is no `Exception` and is raised by the pickling of an argument comes out as itself, and hurts no other task."""
    with Flow[None](flow_config=TOLERANT) as made, use_executor(workers):
        assert error_of(echo, cargo.RefusesToPickle(error)) is error
        check_healthy()
    assert made.flow_run.tasks[0].status is RunStatus.CANCELLED


def test_a_config_that_cannot_travel_is_named(workers: Executor) -> None:
    """A config that cannot be pickled is named, and one that can arrives with its own fields."""
    with Flow[None](flow_name="f", flow_config=cargo.Config(extra=make_lambda())), use_executor(workers):
        assert serialization_error(echo, 1).what == "the config of flow 'f'"
    with Flow[None](flow_config=cargo.Config(extra=[1, 2])), use_executor(workers):
        assert submit(cargo.read_config).result() == [1, 2]


def test_a_config_that_cannot_be_read_there(workers: Executor) -> None:
    """A config that the worker cannot read fails the task with an error that says so."""
    with Flow[None](flow_name="f", flow_config=cargo.Config(extra=cargo.OnlyHere())), use_executor(workers):
        assert "it cannot be read on this side" in serialization_error(echo, 1).reason


@pytest.mark.parametrize("make", [make_lambda, cargo.OnlyHere], ids=["not sent", "not read"])
def test_shared_data_that_cannot_travel_is_named_when_it_is_used(workers: Executor, make: Callable[[], Any]) -> None:
    """An item of `flow_data` that cannot travel hurts only who asks for it, and is named to them."""
    with Flow[None]() as made, use_executor(workers):
        made.flow_data.update(bad=make(), good=1)
        assert submit(cargo.read_data, "good").result() == 1
        assert serialization_error(cargo.read_data, "bad").what == "flow_data['bad']"
        assert serialization_error(cargo.get_data, "bad").what == "flow_data['bad']"
        assert submit(cargo.get_data, "missing").result() == "default"
        assert isinstance(error_of(cargo.read_data, "missing"), KeyError)


@pytest.mark.parametrize("make", [make_lambda, cargo.OnlyHere], ids=["not sent", "not read"])
def test_a_provided_value_that_cannot_travel_is_named_when_it_is_used(
    workers: Executor, make: Callable[[], Any]
) -> None:
    """A provided value that cannot travel hurts only the tasks that ask for it, and is named to them."""
    with Flow[None]().provide(provided=make(), other=1), use_executor(workers):
        assert submit(leaf, 2).result() == 2
        error = serialization_error(cargo.need_provided)
        assert "provided value 'provided'" in error.what
        check_healthy()


def test_what_cannot_travel_may_be_recorded_there(worker: ProcessExecutor) -> None:
    """Artifacts, results, nested arguments and values that only the worker can read do not hurt the task or the next."""
    with Flow[None]() as made, use_executor(worker):
        assert submit(cargo.record_there).result() == "mine"
        check_healthy()
        assert submit(cargo.fail_inside_there).result() == "mine"
        check_healthy()
    record = made.flow_run
    assert [one.key for one in record.artifacts] == ["artifact"]
    assert [one.key for one in record.results] == ["result"]
    assert "OnlyThere" in str(record.model_dump(mode="json")["artifacts"][0]["data"])
    assert [one.message for one in record.logs if one.source == "stdout"] == ["and goes on"]
    nested_one = record.tasks[1]
    assert (nested_one.task_name, nested_one.status) == ("take_and_give", RunStatus.COMPLETED)
    failed = next(one for one in record.tasks if one.task_name == "fail_there")
    assert failed.error is not None
    assert (failed.error.type, failed.error.message) == ("OnlyThereError", "there")


def written(record: FlowRun[Any]) -> Any:
    """The recorded values as JSON, without addresses and the names of this process."""
    found = record.model_dump(mode="json")
    kept = {
        "artifacts": [(one["key"], one["data"]) for one in found["artifacts"]],
        "results": [(one["key"], one["value"]) for one in found["results"]],
        "inputs": [(one["input_args"], one["input_kwargs"]) for one in found["tasks"]],
        "values": [one["return_value"] for one in found["tasks"]],
    }
    return re.sub(r"0x[0-9a-f]+", "0x…", repr(kept))


@pytest.mark.parametrize("name", cargo.ODDITIES)
def test_any_value_is_recorded_as_it_is_in_place(workers: Executor, name: str) -> None:
    """The JSON of a value that is recorded in a worker, whether it pickles or not, is that of one recorded in place."""
    with Flow[None]() as here:
        cargo.record_oddity(name)
    with Flow[None]() as there, use_executor(workers):
        submit(cargo.record_oddity, name).result()
    assert written(there.flow_run) == written(here.flow_run)


@pytest.mark.parametrize("kind", ["coded", "wordy", "noted", "group", "plain"])
def test_exceptions_that_pickle_arrive_as_themselves(workers: Executor, kind: str) -> None:
    """An exception that pickles arrives with its type, text, args, attributes and notes, and the traceback as its cause."""
    original = cargo.make_error(kind)
    with Flow[None]() as made, use_executor(workers):
        error = error_of(cargo.raise_kind, kind)
    if isinstance(error, RemoteTaskError):
        assert kind == "coded"
        assert (error.error_type, error.message) == ("support.executors.process_payloads.Coded", "code 5")
    else:
        assert type(error) is type(original)
        assert str(error) == str(original)
        if not isinstance(error, ExceptionGroup):
            assert error.args == original.args
        kept = {key: value for key, value in vars(error).items() if key != "__notes__"}
        assert kept == {key: value for key, value in vars(original).items() if key != "__notes__"}
    notes = [*getattr(original, "__notes__", []), f"in task 'raise_kind' ({made.flow_run.tasks[0].task_id})"]
    assert [note.split(" of flow")[0] for note in error.__notes__] == notes
    assert "process_payloads.py" in str(error.__cause__)
    check_record_of(made, type(original).__qualname__, str(original), notes)


@pytest.mark.parametrize(
    "kind", ["fussy", "edgy", "local", "only there", "group of locals", "unpicklable args", "str raises"]
)
def test_exceptions_that_do_not_pickle_arrive_as_text(workers: Executor, kind: str) -> None:
    """An exception that cannot be sent or read is a `RemoteTaskError` with its type, text and traceback."""
    original = cargo.make_error(kind)
    with Flow[None]() as made, use_executor(workers):
        error = error_of(cargo.raise_kind, kind)
        check_healthy()
    name = type(original).__qualname__
    if not isinstance(error, type(original)):
        assert isinstance(error, RemoteTaskError)
        assert error.error_type.endswith(name)
        assert "process_payloads.py" in error.traceback
        message = error.message
    else:
        message = None
    if kind not in {"str raises", "unpicklable args"}:
        assert message in {None, str(original)}
        check_record_of(made, name, str(original), None)


def check_record_of(made: Flow[Any], name: str, message: str, notes: list[str] | None) -> None:
    """The record says the same."""
    info = made.flow_run.tasks[0].error
    assert info is not None
    assert (info.type, info.message) == (name, message)
    assert "process_payloads.py" in info.traceback
    if notes is not None:
        assert [note.split(" of flow")[0] for note in info.notes] == notes


def test_causes_are_recorded(workers: Executor) -> None:
    """The record has the whole chain of causes with their notes; the traceback of the cause shows it."""
    with Flow[None]() as made, use_executor(workers):
        error = error_of(cargo.raise_chain)
    assert isinstance(error, cargo.Chained)
    text = str(error.__cause__)
    assert text.index("the root") < text.index("in between") < text.index("at the end")
    info = made.flow_run.tasks[0].error
    found: list[tuple[str, list[str]]] = []
    while info is not None:
        found.append((info.message, [note for note in info.notes if not note.startswith("in task")]))
        info = info.cause
    assert found == [("at the end", []), ("in between", []), ("the root", ["noted at the root"])]


@pytest.mark.parametrize("form", [cargo.raise_base, cargo.raise_base_async], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("kind", "wanted"), [("exit", SystemExit), ("interrupt", KeyboardInterrupt), ("generator", GeneratorExit)]
)
def test_what_is_no_exception_arrives(workers: Executor, form: Any, kind: str, wanted: type[BaseException]) -> None:
    """`SystemExit` and the like, raised in a worker, come out of the future, and the worker goes on."""
    with Flow[None](flow_config=TOLERANT) as made, use_executor(workers):
        error = error_of(form, kind)
        assert type(error) is wanted
        check_healthy()
    assert made.flow_run.tasks[0].status is RunStatus.CANCELLED


def test_sys_exit_does_not_end_the_worker(worker: ProcessExecutor) -> None:
    """A task that calls `sys.exit` ends like one that raises `SystemExit`, with its code."""
    with Flow[None](flow_config=TOLERANT), use_executor(worker):
        error = error_of(cargo.leave, 7)
        assert isinstance(error, SystemExit)
        assert error.code == 7
        check_healthy()


def test_a_function_that_cannot_be_found_is_named(workers: Executor) -> None:
    """A task of a function's body, or one that was replaced in its module, is named, whatever its arguments."""

    @task
    def local(value: Any) -> Any:
        return value

    with Flow[None](), use_executor(workers):
        assert serialization_error(local, 1).what == "the function of task 'local'"
        check_healthy()


def test_tasks_of_partials_objects_and_other_names_travel(workers: Executor) -> None:
    """A task that is not found by its name is made again there of its target, with its name and its checks."""
    text: Any = "1"
    with Flow[None]() as flow, use_executor(workers):
        assert submit(cargo.shifted_plain, text).result() == 2
        assert submit(cargo.shifted_partial, 1).result() == 11
        assert submit(cargo.shifted_object, 1).result() == 101
    assert [(call.task_name, call.return_value) for call in flow.flow_run.tasks] == [
        ("shifted", 2),
        ("shift", 11),
        ("Shift", 101),
    ]
    assert cargo.shifted_partial.__module__ == cargo.__name__


def test_many_bad_calls_and_good_ones_do_not_mix(workers: Executor) -> None:
    """Calls that cannot travel among hundreds that can change nothing for the others."""
    with Flow[None](), use_executor(workers):
        kinds = ["lambda", "lock", "only there"]
        good: list[TaskFuture[Any]] = []
        bad: list[TaskFuture[Any]] = []
        for number in range(60):
            good.append(submit(echo, number))
            bad.append(submit(cargo.return_kind, kinds[number % 3]))
            bad.append(submit(echo, cargo.OnlyHere()))
            good.append(submit(cargo.record_there))
        assert {type(one.exception()) for one in bad} == {SerializationError}
        assert [one.result() for one in good[::2]] == list(range(60))
        assert {one.result() for one in good[1::2]} == {"mine"}
