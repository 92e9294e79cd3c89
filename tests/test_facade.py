"""The façade: what `from flowscope import …` offers, and what it does not pull in."""

import inspect
import json
import subprocess
import sys
from typing import Any, Final

import pytest

import flowscope

CONTRACT: Final = {
    "decorators": ["flow", "task"],
    "live": ["Flow", "Task", "FlowConfig", "RunStatus"],
    "injection": ["INJECTED", "Inject"],
    "executors": [
        "AsyncioExecutor",
        "Executor",
        "ProcessExecutor",
        "TaskFuture",
        "TaskMap",
        "ThreadExecutor",
        "map_tasks",
        "submit",
        "use_executor",
    ],
    "context": ["bind_context", "current_flow", "current_flow_or_none", "current_task", "current_task_or_none"],
    "events": ["EventBus", "EventData", "EventType", "FlowEvent", "Listener", "Subscription", "flow_events"],
    "records": [
        "Artifact",
        "AttemptFailure",
        "Dropped",
        "ErrorInfo",
        "FlowRun",
        "LogEntry",
        "Progress",
        "Result",
        "TaskRun",
    ],
    "running": ["get_run_logger", "set_default_config", "with_options"],
    "durations": ["Durations", "TaskDuration", "TaskDurations", "TaskTiming"],
    "warnings": ["BlockedLoopWarning", "FlowNotExecutedWarning"],
    "errors": [
        "AlreadyRunningError",
        "DefinitionError",
        "FlowCancelledError",
        "FlowscopeError",
        "InjectionError",
        "NoActiveFlowError",
        "NoActiveTaskError",
        "NotExecutedError",
        "NotSetUpError",
        "ParameterError",
        "RemoteDataError",
        "RemoteTaskError",
        "SerializationError",
        "TaskTimeoutError",
        "WorkerDiedError",
    ],
}

OPTIONAL: Final = [
    "cli", "typer", "rich", "click", "fastapi", "starlette", "uvicorn", "httpx", "numpy", "pandas", "prefect", "dask",
    "ray", "opentelemetry", "pytest", "psutil", "sqlalchemy", "sqlite3", "hypothesis",
]  # fmt: skip
GIANTS: Final = [
    "asyncio",
    "multiprocessing",
    "concurrent.futures",
    "unittest",
    "email",
    "http",
    "ssl",
    "xml",
    "tkinter",
]


PYDANTIC: Final = """
from pydantic import BaseModel
class Model(BaseModel):
    number: int
Model(number=1)
"""
"""What Pydantic itself loads when it makes a model."""


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter has after running some code."""
    script = f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(ended.stdout))


def test_the_names_are_those_of_the_contract() -> None:
    """`__all__` is exactly what the contract names, so far as it is built."""
    assert sorted(flowscope.__all__) == sorted(name for names in CONTRACT.values() for name in names)


def test_the_names_are_sorted_and_there() -> None:
    """`__all__` is sorted, without doubles, and each name exists."""
    assert list(flowscope.__all__) == sorted(set(flowscope.__all__))
    assert [name for name in flowscope.__all__ if not hasattr(flowscope, name)] == []


def test_nothing_else_is_offered() -> None:
    """Besides `__all__` the façade has submodules only: no helper leaks out of it."""
    others = {
        name: value
        for name, value in vars(flowscope).items()
        if not name.startswith("_") and name not in flowscope.__all__ and not inspect.ismodule(value)
    }
    assert others == {}


def test_a_star_import_brings_what_is_offered() -> None:
    """`from flowscope import *` brings the names of `__all__`."""
    namespace: dict[str, Any] = {}
    exec("from flowscope import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(flowscope.__all__)


@pytest.mark.parametrize("name", sorted(flowscope.__all__))
def test_everything_is_explained(name: str) -> None:
    """Every class and function on the façade has a docstring, and so has every public method."""
    found = getattr(flowscope, name)
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        return
    assert inspect.getdoc(found)
    for method, value in vars(found).items() if inspect.isclass(found) else ():
        if not method.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
            assert inspect.getdoc(value), f"{name}.{method}"


def test_the_import_pulls_in_nothing_optional() -> None:
    """`import flowscope` loads no optional dependency and no part of the library that needs one."""
    brought = loaded_by("import flowscope") - loaded_by(PYDANTIC)
    roots = {name.partition(".")[0] for name in brought}
    assert roots.isdisjoint(OPTIONAL)
    assert not any(name.startswith("flowscope.cli") for name in brought)
    assert {root for root in roots if root not in sys.stdlib_module_names} <= {
        "flowscope",
        "pydantic",
        "pydantic_core",
        "typing_extensions",
        "annotated_types",
        "typing_inspection",
    }


def test_the_import_pulls_in_no_giant() -> None:
    """`import flowscope` loads neither asyncio nor another giant of the standard library beyond Pydantic's own."""
    brought = loaded_by("import flowscope") - loaded_by(PYDANTIC)
    assert [name for name in GIANTS if name in brought] == []
    assert "asyncio" not in loaded_by("import flowscope")


def test_a_sync_flow_needs_no_asyncio() -> None:
    """Running a sync flow and taking its record does not load asyncio either."""
    code = """
import flowscope
@flowscope.task
def step(n): return n + 1
@flowscope.flow
def work(): return step(1)
assert work().execute().flow_run.model_dump_json()
"""
    assert "asyncio" not in loaded_by(code)


def test_threads_need_no_multiprocessing() -> None:
    """Submitting to threads loads neither asyncio nor multiprocessing, and naming processes loads none of it either."""
    code = """
import flowscope
@flowscope.task
def step(n): return n + 1
@flowscope.task(executor="process")
def far(n): return n + 1
with flowscope.Flow():
    assert flowscope.submit(step, 1).result() == 2
"""
    assert loaded_by(code).isdisjoint({"asyncio", "multiprocessing", "concurrent.futures"})


def test_the_import_changes_nothing() -> None:
    """Importing replaces no standard stream, hook or logging setting."""
    script = """
import logging, sys, warnings
before = (sys.stdout, sys.stderr, sys.excepthook, logging.Logger.callHandlers, list(logging.root.handlers), warnings.filters[:])
import flowscope
after = (sys.stdout, sys.stderr, sys.excepthook, logging.Logger.callHandlers, list(logging.root.handlers), warnings.filters[:])
print(before == after)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "True\n"
    assert ended.stderr == ""


def test_the_package_says_that_it_is_typed() -> None:
    """The marker for type checkers is part of the package."""
    from importlib.resources import files

    assert files(flowscope).joinpath("py.typed").is_file()
