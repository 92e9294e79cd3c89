"""What may be submitted, and with which arguments."""

import functools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from flowscope import (
    INJECTED,
    DefinitionError,
    Flow,
    Inject,
    InjectionError,
    NoActiveFlowError,
    ParameterError,
    ProcessExecutor,
    RunStatus,
    SerializationError,
    Task,
    bind_context,
    current_task,
    flow,
    submit,
    task,
    use_executor,
)
from support.executors.methods import METHODS, Calculation, Counter, Sums
from support.executors.task_forms import PLACES
from support.executors.tasks import add, echo


@PLACES
@pytest.mark.parametrize("bound", METHODS, ids=lambda bound: type(bound).__name__)
@pytest.mark.parametrize("form", ["at", "at_async"])
def test_methods_bind_their_object(bound: Any, form: str, place: Any) -> None:
    """A bound method of any kind of class runs with its object, which is no recorded input."""
    with Flow[None]() as made, use_executor(place):
        value = submit(getattr(bound, form), 10, offset=5).result()
    assert value == getattr(bound, "start", 1) + 25
    outermost = made.flow_run.tasks[0]
    assert (outermost.task_name, outermost.input_args, outermost.input_kwargs) == (form, [10], {"offset": 5})


@PLACES
def test_a_function_of_a_class_takes_its_object(place: Any) -> None:
    """The task taken from the class is given the object, by position."""
    with Flow[None](), use_executor(place):
        assert submit(Counter.at, Counter(2), 10).result() == 21
        assert submit(Sums.at_async, Sums(step=2), count=10).result() == 21


@PLACES
@pytest.mark.parametrize("form", ["at", "at_async"])
def test_a_flow_submits_its_own_methods(place: Any, form: str) -> None:
    """A method of a flow's class, submitted by that flow, has the flow for `self`, and its log is the flow's."""
    with use_executor(place):
        made = Calculation(step=2, asks=form).execute()
    assert made.return_value == 6
    record = made.flow_run
    assert [(task.task_name, task.input_args) for task in record.tasks] == [(form, [3])]
    assert [entry.message for entry in record.logs if entry.task_id] == ["at 3"]
    assert [(one.key, one.value) for one in record.results if one.task_id] == [("count", 3)]


@PLACES
def test_self_is_the_running_flow(place: Any) -> None:
    """In a submitted method of its class, `self` is what `current_flow()` says, and has the flow's data."""
    with use_executor(place):
        made = Calculation(step=2, asks="same").execute()
        assert made.return_value == (True, made.flow_id, [1, 2])
        assert Calculation(step=2, asks="injected").execute().return_value == (True, True)


def test_a_static_task_is_submitted() -> None:
    """A static method that is a task is submitted like a function."""

    class Tools:
        @staticmethod
        @task
        def double(number: int) -> int:
            return 2 * number

    with Flow[None]():
        assert submit(Tools.double, 4).result() == 8
        assert submit(Tools().double, 4).result() == 8


def test_a_class_method_is_submitted() -> None:
    """A class method that is a task is given its class."""

    class Tools:
        factor: ClassVar[int] = 3

        @classmethod
        @task
        def times(cls, number: int) -> int:
            return cls.factor * number

    class More(Tools):
        factor = 5

    with Flow[None]() as made:
        assert submit(Tools.times, 4).result() == 12
        assert submit(More.times, 4).result() == 20
    assert [task.input_args for task in made.flow_run.tasks] == [[4], [4]]


@PLACES
def test_defaults_and_keywords_arrive(place: Any) -> None:
    """Arguments by position and by name arrive, and defaults stand for those that are missing."""
    with Flow[None]() as made, use_executor(place):
        assert submit(add, 1).result() == 11
        assert submit(add, 1, 2).result() == 3
        assert submit(add, left=1, right=2, times=3).result() == 9
        assert submit(add, 1, times=2).result() == 22
    assert [(task.input_args, task.input_kwargs) for task in made.flow_run.tasks] == [
        ([1], {}),
        ([1, 2], {}),
        ([], {"left": 1, "right": 2, "times": 3}),
        ([1], {"times": 2}),
    ]


def test_names_that_submit_could_use_itself_arrive() -> None:
    """`task_fn`, `executor`, `timeout`, `self` and the like are keyword arguments of the task."""

    @task
    def collect(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        return args, kwargs

    wanted = {"task_fn": 1, "executor": 2, "timeout": 3, "self": 4, "spec": 5, "args": 6, "kwargs": 7, "call": 8}
    with Flow[None]():
        assert submit(collect, 0, **wanted).result() == ((0,), wanted)


def test_arguments_arrive_as_themselves() -> None:
    """In this process an argument and a value are the very objects, and later changes are seen."""

    @task
    def same(value: list[int]) -> list[int]:
        value.append(1)
        return value

    given: list[int] = []
    with Flow[None](), use_executor("thread"):
        assert submit(same, given).result() is given
    assert given == [1]


def test_injection_is_as_in_a_direct_call() -> None:
    """Injected are the flow, the task, its data, provided values and providers; an explicit argument wins."""
    closed: list[int] = []

    def number() -> Iterator[int]:
        yield 5
        closed.append(5)

    @task
    def see(
        given: int,
        this_flow: Flow[Any] = INJECTED,
        this_task: Task = INJECTED,
        flow_data: dict[str, Any] = INJECTED,
        extra: str = INJECTED,
        opened: int = Inject(number),
    ) -> tuple[Any, ...]:
        flow_data["seen"] = given
        return given, this_flow, this_task.task_id, extra, opened, this_task is current_task()

    with Flow[None]().provide(extra="provided") as made, use_executor("thread"):
        future = submit(see, 1)
        assert future.result() == (1, made, future.task_id, "provided", 5, True)
        assert submit(see, 1, extra="mine", opened=6).result()[3:5] == ("mine", 6)
    assert closed == [5]
    assert made.flow_data == {"seen": 1}
    assert made.flow_run.tasks[0].input_kwargs == {}


@PLACES
def test_a_missing_injection_fails_the_task(place: Any) -> None:
    """A name that nobody provides is the failure of the task, not of the submit."""
    with Flow[None](), use_executor(place):
        future = submit(needing)
        with pytest.raises(InjectionError, match="nobody_has_it"):
            future.result()


@task
def needing(nobody_has_it: int = INJECTED) -> int:
    return nobody_has_it


@task(validate=True, retries=3)
def strict(number: int, path: Path = Path(), items: list[int] = []) -> tuple[int, Path, list[int]]:
    return number, path, items


@PLACES
def test_arguments_are_validated(place: Any) -> None:
    """With `validate=True` arguments are coerced where the call is made, and a bad one is not tried again."""
    wrong: Any = "x"
    numeral: Any = "3"
    with Flow[None]() as made, use_executor(place):
        assert submit(strict, numeral, path=numeral).result() == (3, Path("3"), [])
        future = submit(strict, wrong)
        with pytest.raises(ParameterError, match=r"strict.*number"):
            future.result()
    second = made.flow_run.tasks[1]
    assert (second.status, second.attempts) == (RunStatus.FAILED, 1)


def test_a_validated_argument_that_fits_is_the_very_object() -> None:
    """Validation replaces nothing that fits."""

    @task(validate=True)
    def same(items: list[int]) -> list[int]:
        return items

    given = [1, 2]
    with Flow[None](), use_executor("thread"):
        assert submit(same, given).result() is given


def test_partials_and_wrapped_functions_are_no_tasks() -> None:
    """A partial of a task, a function that wraps one, and the undecorated function are refused."""

    @functools.wraps(add)
    def wrapper(left: int) -> int:
        return add(left)

    undecorated: Any = add.__wrapped__  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]
    wrong: Any
    with Flow[None]():
        for wrong in (functools.partial(add, 1), wrapper, undecorated, Flow, flow(add)):
            with pytest.raises(
                DefinitionError, match="is no task. Decorate the function with @task; of a flow, submit"
            ):
                submit(wrong, 1)
        for wrong in (add(1), Counter(1), "add", None):
            with pytest.raises(
                DefinitionError, match="is no task. Give what @task has made, and after it its arguments"
            ):
                submit(wrong)


def test_submitting_needs_a_flow() -> None:
    """Outside a flow, and after its end, a submit raises an error that names the task."""
    with pytest.raises(NoActiveFlowError, match=r"task 'add'.*none is running here"):
        submit(add, 1)

    def late() -> None:
        with pytest.raises(NoActiveFlowError, match="task 'add' needs a running flow"):
            submit(add, 1)

    def body() -> Any:
        return bind_context(late)

    Flow[Any]().setup(body).execute().return_value()


def test_what_does_not_pickle_is_named() -> None:
    """An argument that cannot travel is named with its task, and is not tried again."""
    anything: Callable[..., int] = add
    calls: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
        ((1, lambda: 1), {}, "argument 'right' of task 'add'"),
        ((1,), {"times": threading.Lock()}, "argument 'times' of task 'add'"),
    ]
    with Flow[None]() as made, use_executor("process"):
        for args, kwargs, name in calls:
            future = submit(anything, *args, **kwargs)
            with pytest.raises(SerializationError) as caught:
                future.result()
            assert caught.value.what == name
        future = submit(echo, 1)
        assert future.result() == 1
    assert [task.status for task in made.flow_run.tasks] == [RunStatus.FAILED] * 2 + [RunStatus.COMPLETED]


def test_a_local_function_cannot_travel() -> None:
    """A task defined inside a function cannot be imported by a worker; the error says which and why."""

    @task
    def local() -> int:
        return 1

    with Flow[None](), use_executor(ProcessExecutor(1)) as executor:
        future = submit(local)
        with pytest.raises(SerializationError, match=r"function of task 'local'.*<locals>"):
            future.result()
        executor.close()


def test_the_task_is_made_by_hand_with_the_same_tools() -> None:
    """The future knows its task: the same id, name and status as in the record."""
    with Flow[None]() as made:
        future = submit(add, 1)
        assert made.executed_tasks[0].task_id == future.task_id
        future.result()
        assert made.executed_tasks[0].status is future.status is RunStatus.COMPLETED
        assert made.executed_tasks[0].task_return_value == 11
