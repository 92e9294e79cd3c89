"""Copies of flow and task functions with other options, delays, predicates, run names and descriptions."""

import asyncio
import inspect
import pickle
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from flowscope import (
    DefinitionError,
    Flow,
    FlowConfig,
    ParameterError,
    ProcessExecutor,
    current_task,
    flow,
    map_tasks,
    submit,
    task,
    use_executor,
    with_options,
)
from support.option_tasks import applied, doubled, fragile


@task(tags=("io",))
def load(number: int) -> int:
    """Load a number."""
    if current_task().attempt < 2:
        raise LookupError("first")
    return number


@task
async def load_async(number: int) -> int:
    """Load a number."""
    if current_task().attempt < 2:
        raise LookupError("first")
    return number


@flow(tags=("nightly",))
def ingest(day: str, password: str = "a-secret-word") -> str:
    """Ingest a day.

    And more about it.
    """
    return day


def run(function: Any, *args: Any, **kwargs: Any) -> Flow[Any]:
    """A flow that calls a function."""

    def body() -> Any:
        value = function(*args, **kwargs)
        return asyncio.run(value) if inspect.iscoroutine(value) else value

    return Flow[Any](flow_config=FlowConfig(raise_flow_error=False)).setup(body).execute()


def test_a_copy_has_its_own_options_and_all_others() -> None:
    """The original stays as it is; a copy of a copy has all options."""
    copied = with_options(load, retries=1, task_name="again")
    once_more = with_options(copied, retry_delay=0.0, tags="x")
    assert run(load, 1).status == "failed"
    for function, tags in ((copied, ("io",)), (once_more, ("x",))):
        made = run(function, 1)
        assert made.return_value == 1
        record = made.flow_run.tasks[0]
        assert (record.task_name, record.attempts, record.tags) == ("again", 2, tags)
    assert (copied.__name__, copied.__doc__, inspect.signature(copied)) == (
        "load",
        load.__doc__,
        inspect.signature(load),
    )
    assert copied.__wrapped__ is load.__wrapped__  # type: ignore[attr-defined]


async def test_copies_of_async_tasks_generators_and_methods() -> None:
    """Each is of the kind of its original, and a method stays bound."""

    class Loader:
        name = "loader"

        @task
        def load(self, number: int) -> tuple[str, int]:
            """Load."""
            if current_task().attempt < 2:
                raise LookupError
            return self.name, number

        @flow
        def work(self) -> str:
            """Work."""
            return self.name

    @task
    def numbers(count: int) -> Iterator[int]:
        yield from range(count)

    @flow
    async def work() -> list[Any]:
        found: list[Any] = [await with_options(load_async, retries=1)(1)]
        assert inspect.iscoroutinefunction(with_options(load_async, retries=1))
        found.append(with_options(Loader().load, retries=1)(2))
        found.append(with_options(Loader.load, retries=1)(Loader(), 3))
        found.append(list(with_options(numbers, task_name="renamed")(2)))
        found.append(with_options(fragile, raise_on_error=False)(1))
        return found

    made = await work()
    assert made.return_value == [1, ("loader", 2), ("loader", 3), [0, 1], None]
    assert with_options(Loader().work, flow_name="other")().execute().flow_name == "other"


def test_a_copy_of_a_flow_function() -> None:
    """Names, configs, tags and ids of its flows."""
    copied = with_options(ingest, flow_name="other", flow_config=FlowConfig(log_level="ERROR"), run_name="day {day}")
    record = copied("monday").execute().flow_run
    assert (record.flow_name, record.config.log_level, record.tags) == ("other", "ERROR", ("nightly",))
    assert record.run_name == "day monday"
    assert ingest("monday").execute().flow_run.run_name is None


@pytest.mark.parametrize(
    ("function", "options", "text"),
    [
        (ingest, {"task_name": "x"}, "use flow_name= instead"),
        (ingest, {"retries_": 1}, "no option 'retries_'"),
        (load, {"flow_name": "x"}, "use task_name= instead"),
        (load, {"retries": "two"}, "retries is 'two'"),
        (load, {"retry_delay": ["a"]}, "retry_delay is"),
        (load, {"retry_delay": []}, "retry_delay is"),
        (load, {"retry_delay": [-1.0]}, "not negative"),
        (load, {"retry_on": "Error"}, "retry_on has"),
        (load, {"run_name": "load {day}"}, "the parameters are: number"),
        (load, {"run_name": "load {"}, "no template"),
        (ingest, {"run_name": 3}, "run_name is 3"),
        (ingest, {"description": 3}, "description is 3"),
        (len, {"retries": 1}, "takes a function that"),
    ],
)
def test_options_that_do_not_fit_are_refused(function: Any, options: dict[str, Any], text: str) -> None:
    """At once, with the name of the function and of the option."""
    with pytest.raises(DefinitionError, match=text.replace("(", r"\(")):
        with_options(function, **options)


def test_copies_travel_to_worker_processes() -> None:
    """Submitted, mapped, and as arguments; what a copy is made of needs a name."""

    @flow
    def work() -> list[Any]:
        retried = with_options(fragile, retries=1, task_name="retried")
        checked = with_options(doubled, validate=True)
        with ProcessExecutor(1) as workers, use_executor(workers):
            found: list[Any] = [submit(retried, 3).result(), list(map_tasks(retried, [4, 5]))]
            with pytest.raises(ParameterError):
                submit(checked, "many").result()  # type: ignore[call-overload] # pyright: ignore[reportArgumentType]
            found.append(submit(applied, retried, 6).result())
        return found

    made = work().execute()
    assert made.return_value == [3, [4, 5], 6]
    assert [call.task_name for call in made.flow_run.tasks].count("retried") == 4
    with pytest.raises(Exception, match="pickle"):
        pickle.dumps(with_options(load, retries=3))


def thousandths(attempt: int) -> float:
    """A delay."""
    return attempt / 1_000


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        ([0.0, 0.001], [0.0, 0.001, 0.001]),
        ((0.002,), [0.002, 0.002, 0.002]),
        (thousandths, [0.001, 0.002, 0.003]),
        (0.001, [0.001, 0.002, 0.004]),
    ],
)
def test_delays_are_numbers_sequences_or_functions(delay: Any, expected: list[float]) -> None:
    """A short sequence repeats its last item; the factor is for one number alone."""

    @task(retries=3, retry_delay=delay, retry_backoff=2.0)
    def always() -> None:
        raise LookupError

    made = run(always)
    starts = [failure.start_time for failure in made.flow_run.tasks[0].failed_attempts]
    ends = [failure.end_time for failure in made.flow_run.tasks[0].failed_attempts]
    assert len(starts) == 4
    planned = [(start - end).total_seconds() for start, end in zip(starts[1:], ends, strict=False)]
    assert planned == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_predicate_decides_about_retries(is_async: bool) -> None:
    """It gets the exception; one that raises is logged, and its task is not retried."""

    def is_busy(error: BaseException) -> bool:
        if "broken" in str(error):
            raise RuntimeError("of the predicate")
        return "busy" in str(error)

    def fail(text: str) -> None:
        raise LookupError(text)

    async def fail_async(text: str) -> None:
        raise LookupError(text)

    function = task(retries=2, retry_on=is_busy)(fail_async if is_async else fail)
    assert [run(function, text).flow_run.tasks[0].attempts for text in ("busy", "other", "broken")] == [3, 1, 1]
    made = run(function, "broken")
    assert isinstance(made.flow_error, LookupError)
    assert any("retry_on" in entry.message and entry.level == "WARNING" for entry in made.captured_logs())


def day_and_others(day: str, **others: Any) -> str:
    """A name."""
    return f"{day} {sorted(others)}"


def impossible(day: str) -> str:
    """No name."""
    raise LookupError(day)


def test_run_names_are_beside_the_names() -> None:
    """Templates and functions, with defaults and masked secrets; one that raises gives None and a warning."""

    @task(run_name="load {day} of {source.__class__.__name__} {password}")
    def load_day(day: str, source: object = 1, password: str = "a-secret-word") -> None: ...

    @task(run_name=day_and_others)
    async def load_async(day: str, *, hour: int = 3) -> None: ...

    @task(run_name=impossible)
    def broken(day: str) -> None: ...

    @flow(run_name="ingest {day} {password}", description="What it does.")
    def named(day: str, password: str = "a-secret-word") -> None:
        load_day("monday")
        asyncio.run(load_async("tuesday"))
        broken("wednesday")
        submit(load_day, "thursday").result()

    record = named("today").execute().flow_run
    assert (record.run_name, record.description) == ("ingest today **********", "What it does.")
    assert [call.run_name for call in record.tasks] == [
        "load monday of int **********",
        "tuesday ['hour']",
        None,
        "load thursday of int **********",
    ]
    assert any(entry.level == "WARNING" and "run name" in entry.message for entry in record.logs)


def test_descriptions_are_the_first_lines_of_docstrings() -> None:
    """Of functions of all kinds, unless the flow has one."""

    class Ingest(Flow[None]):
        def run(self) -> None:
            """Do the work.

            In detail.
            """

    assert ingest("x").execute().flow_run.description == "Ingest a day."
    assert Ingest().execute().flow_run.description == "Do the work."
    assert flow(partial(ingest.__wrapped__, "x"))().execute().flow_run.description == "Ingest a day."  # type: ignore[attr-defined]
    assert flow(lambda: None)().execute().flow_run.description is None
