"""The error tree: one base, the builtin kinds besides, attributes, texts that say what to do, pickles."""

import asyncio
import copy
import pickle
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest

import flowscope
from flowscope import (
    AlreadyRunningError,
    DefinitionError,
    Flow,
    FlowCancelledError,
    FlowscopeError,
    Inject,
    InjectionError,
    NoActiveFlowError,
    NoActiveTaskError,
    NotExecutedError,
    NotSetUpError,
    ParameterError,
    RemoteDataError,
    RemoteTaskError,
    SerializationError,
    Task,
    TaskTimeoutError,
    WorkerDiedError,
    current_flow,
    current_task,
    flow,
    submit,
    task,
    use_executor,
)
from support.remote_failures import die, shatter, take, write

KINDS: Final[dict[type[FlowscopeError], tuple[type[Exception], ...]]] = {
    NoActiveFlowError: (RuntimeError,),
    NoActiveTaskError: (RuntimeError,),
    NotSetUpError: (ValueError,),
    NotExecutedError: (RuntimeError,),
    AlreadyRunningError: (RuntimeError,),
    DefinitionError: (TypeError, ValueError),
    InjectionError: (TypeError,),
    ParameterError: (ValueError,),
    TaskTimeoutError: (TimeoutError,),
    FlowCancelledError: (RuntimeError,),
    SerializationError: (TypeError,),
    RemoteDataError: (TypeError,),
    RemoteTaskError: (RuntimeError,),
    WorkerDiedError: (RuntimeError,),
}


@flow
def work(number: int) -> int:
    """A flow that takes a number."""
    return number


@task
def step() -> None:
    """A task."""


@task(timeout=1e-6)
async def late() -> None:
    """A task that is late."""
    await current_flow().flow_data["never"].wait()


async def provider() -> int:
    """An async provider."""
    return 1


def raised(function: Any, *args: Any, **kwargs: Any) -> FlowscopeError:
    """The error of this library that a call raises."""
    with pytest.raises(FlowscopeError) as caught:
        function(*args, **kwargs)
    return caught.value


def execute_inside() -> None:
    """Execute a flow in itself."""

    def again() -> None:
        current_flow().execute()

    Flow[None](flow_name="loop").setup(again).execute()


def wait_too_long() -> None:
    """Run a task past its deadline."""

    async def waits() -> None:
        await late()

    made = Flow[None]().setup(waits)
    made.flow_data["never"] = asyncio.Event()
    made.execute()


def inject_async() -> None:
    """Wire an async provider to a sync task."""

    @task
    def wants(value: int = Inject(provider)) -> int:
        return value


def no_function() -> None:
    """Decorate what cannot be called."""
    flow(5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType] # the mistake under test


def in_a_process(task_fn: Callable[..., Any], *args: Any) -> None:
    """Submit a task to a worker process, and ask for its value."""
    with Flow[None](), use_executor("process"):
        submit(task_fn, *args).result()


def no_number() -> None:
    """Give a flow an argument that does not fit."""
    bad: Any = "no number"
    work(bad)


RAISES: Final[dict[type[FlowscopeError], Callable[[], object]]] = {
    NoActiveFlowError: step,
    NoActiveTaskError: lambda: Flow[Task]().setup(current_task).execute(),
    NotSetUpError: lambda: Flow[None]().execute(),
    NotExecutedError: lambda: work(1).return_value,
    AlreadyRunningError: execute_inside,
    DefinitionError: no_function,
    InjectionError: inject_async,
    ParameterError: no_number,
    TaskTimeoutError: wait_too_long,
    FlowCancelledError: lambda: Flow[bool]().setup(lambda: current_flow().cancel("x")).execute(),
    SerializationError: partial(in_a_process, take, lambda: None),
    RemoteDataError: partial(in_a_process, write),
    RemoteTaskError: partial(in_a_process, shatter),
    WorkerDiedError: partial(in_a_process, die),
}
"""What makes the library raise each kind."""


@pytest.fixture(name="found", params=KINDS, ids=lambda kind: kind.__name__)
def one_of_them(request: pytest.FixtureRequest) -> FlowscopeError:
    """An error of each kind in turn."""
    return raised(RAISES[request.param])


def test_the_tree_is_complete() -> None:
    """Every error on the façade is a `FlowscopeError`, the builtin that users know for it, and nothing else."""
    names = [name for name in flowscope.__all__ if name.endswith("Error")]
    assert {getattr(flowscope, name) for name in names} == {FlowscopeError, *KINDS}
    assert FlowscopeError.__bases__ == (Exception,)
    assert {kind: kind.__bases__ for kind in KINDS} == {kind: (FlowscopeError, *bases) for kind, bases in KINDS.items()}


def test_each_is_raised_as_what_it_is(found: FlowscopeError) -> None:
    """What the library raises is exactly of its kind, and is caught by the builtin kind too."""
    (kind,) = [kind for kind in KINDS if type(found) is kind]
    for base in KINDS[kind]:
        with pytest.raises(base):
            raise found


def test_each_pickles_and_copies(found: FlowscopeError) -> None:
    """An error comes through pickling and copying with its type, arguments, attributes, notes and text."""
    notes = list(getattr(found, "__notes__", []))
    found.add_note("on the way")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(found, protocol))
        assert type(again) is type(found)
        assert (str(again), again.args, vars(again)) == (str(found), found.args, vars(found))
        assert again.__notes__ == [*notes, "on the way"]
    assert str(copy.copy(found)) == str(copy.deepcopy(found)) == str(found)


def test_each_text_is_a_help(found: FlowscopeError) -> None:
    """A text is one sentence or more, and no tuple of arguments; a traceback of elsewhere follows on lines of its own."""
    text, _, rest = str(found).partition("\n\n")
    assert len(text.split()) > 3
    assert "\n" not in text.strip()
    assert rest.startswith("Traceback") == isinstance(found, RemoteTaskError)
    assert not text.startswith("(")
    assert type(found).__name__ in repr(found)


def test_the_texts_name_what_they_are_about() -> None:
    """Texts name the thing, what was found, and the next step."""
    found = {kind: raised(function) for kind, function in RAISES.items()}
    assert "'step'" in str(found[NoActiveFlowError])
    assert "@flow" in str(found[NoActiveFlowError])
    assert "setup has not been called" in str(found[NotSetUpError])
    assert "'work'" in str(found[NotExecutedError])
    assert "execute" in str(found[NotExecutedError])
    assert "'loop'" in str(found[AlreadyRunningError])
    assert all(word in str(found[InjectionError]) for word in ("wants", "'value'", "provider", "async"))
    assert all(word in str(found[ParameterError]) for word in ("work", "'number'", "str", "integer"))
    assert "'late'" in str(found[TaskTimeoutError])
    assert "current_task_or_none" in str(found[NoActiveTaskError])
    assert "int" in str(found[DefinitionError])
    assert all(word in str(found[SerializationError]) for word in ("'value'", "'take'", "function", "lambda"))
    assert "flow_data['rows']" in str(found[RemoteDataError])
    assert "remote_failures.Delicate: a vase was dropped" in str(found[RemoteTaskError])
    assert all(word in str(found[WorkerDiedError]) for word in ("'die'", "exit code 3"))


def test_attributes_tell_what_the_error_is_about() -> None:
    """Each error has what it is about as attributes."""
    found: dict[type[FlowscopeError], Any] = {kind: raised(function) for kind, function in RAISES.items()}
    assert (found[NoActiveFlowError].wanted, found[NoActiveFlowError].ended_flow) == ("task 'step'", None)
    assert found[NotSetUpError].flow_name == "Flow"
    assert (found[NotExecutedError].flow_name, found[NotExecutedError].status) == ("work", "pending")
    assert (found[AlreadyRunningError].what, found[AlreadyRunningError].status) == ("flow 'loop'", "running")
    assert (found[InjectionError].function, found[InjectionError].parameter) == ("wants", "value")
    parameter = found[ParameterError]
    assert (parameter.function, parameter.parameter, parameter.value_type) == ("work", "number", "str")
    assert (found[TaskTimeoutError].task_name, found[TaskTimeoutError].timeout) == ("late", 1e-6)
    unsent = found[SerializationError]
    assert (unsent.what, unsent.value_type) == ("argument 'value' of task 'take'", "function")
    assert found[RemoteDataError].key == "rows"
    far = found[RemoteTaskError]
    assert (far.error_type, far.message) == ("support.remote_failures.Delicate", "a vase was dropped")
    assert 'raise Delicate("a vase was dropped")' in far.traceback
    died = found[WorkerDiedError]
    assert (died.task_name, died.exit_code, died.ready) == ("die", 3, True)
    assert "it has to be a file" in str(WorkerDiedError("die", 1, ready=False))


def test_a_bad_argument_is_not_in_the_error() -> None:
    """The value itself may be a secret: the error tells its type and what was wanted."""

    @flow
    def login(password: int) -> None:
        """Takes a number."""

    bad: Any = "open-sesame"
    found = raised(login, bad)
    assert "open-sesame" not in str(found)
    assert "open-sesame" not in repr(found)
    assert b"open-sesame" not in pickle.dumps(found)


def test_the_users_errors_are_never_wrapped() -> None:
    """What the user's code raises comes back as the very object, and is no `FlowscopeError`."""
    error = KeyError("mine")

    @flow
    def fails() -> None:
        raise error

    made = fails()
    with pytest.raises(KeyError) as caught:
        made.execute()
    assert caught.value is error
    assert made.flow_error is error


def test_outside_the_docstring_draws_the_tree() -> None:
    """The module that defines the errors shows the whole tree, and every error says when it is raised."""
    module = sys.modules[FlowscopeError.__module__]
    for kind in KINDS:
        bases = ", ".join(base.__name__ for base in KINDS[kind])
        assert f"{kind.__name__} ({bases})" in (module.__doc__ or "")
        assert kind.__doc__
