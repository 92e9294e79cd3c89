"""Every error that flowscope raises of its own accord.

    FlowscopeError
    ├── NoActiveFlowError (RuntimeError)      a task, or current_flow(), where no flow is running
    ├── NoActiveTaskError (RuntimeError)      current_task() where no task is running
    ├── NotSetUpError (ValueError)            a flow executed before setup
    ├── NotExecutedError (RuntimeError)       a return value asked for before the execution
    ├── AlreadyRunningError (RuntimeError)    one flow or task object executed twice at once
    ├── DefinitionError (TypeError, ValueError)  what cannot be a flow or a task, or an option that cannot work
    ├── InjectionError (TypeError)            wiring that cannot work
    ├── ParameterError (ValueError)           an argument that does not fit its annotation
    ├── TaskTimeoutError (TimeoutError)       an attempt that passed its deadline
    ├── FlowCancelledError (RuntimeError)     a flow that was cancelled; in `model.flow_cancelled`, for it has a record
    ├── SerializationError (TypeError)        something that cannot travel between processes
    ├── RemoteDataError (TypeError)           the flow's shared data written to in another process
    ├── RemoteTaskError (RuntimeError)        an exception of another process that cannot travel
    ├── WorkerDiedError (RuntimeError)        a worker process that ended amid a task
    ├── GraphError (ValueError)               a routine graph, a job or a message that cannot be used as asked
    └── CoordinationError (ValueError)        flows that cannot be coordinated as they were asked to be

Exceptions of the user's own code are never wrapped: they come back as the very objects that were raised. All errors
pickle, and keep what they are about as attributes.
"""

__all__ = [
    "AlreadyRunningError",
    "CoordinationError",
    "DefinitionError",
    "FlowscopeError",
    "GraphError",
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
]


class FlowscopeError(Exception):
    """The base of all errors of this library."""


class NoActiveFlowError(FlowscopeError, RuntimeError):
    """No flow is running where one is needed.

    Attributes:
        wanted: What was asked for, such as "task 'parse'".
        ended_flow: The name of the flow that this code belonged to, if that flow has ended.
    """

    def __init__(self, wanted: str, ended_flow: str | None = None) -> None:
        super().__init__(wanted, ended_flow)
        self.wanted = wanted
        self.ended_flow = ended_flow

    def __str__(self) -> str:
        if self.ended_flow is not None:
            return (
                f"{self.wanted} needs a running flow, and flow {self.ended_flow!r}, which this code belongs to, has "
                "ended. Await or join what the flow starts before its function returns, and make a new flow for another "
                "`with` block."
            )
        return (
            f"{self.wanted} needs a running flow, and none is running here. Call it inside a function decorated with "
            "@flow (and execute that: `my_flow().execute()` or `await my_flow()`) or inside `with Flow():`. In a "
            "thread or callback that you start yourself, pass `bind_context(function)` instead of the function."
        )


class NoActiveTaskError(FlowscopeError, RuntimeError):
    """No task is running where one is needed."""

    def __str__(self) -> str:
        return (
            "no task is running here. Call current_task() inside a function decorated with @task, or use "
            "current_task_or_none()."
        )


class NotSetUpError(FlowscopeError, ValueError):
    """A flow without a target was executed.

    Attributes:
        flow_name: The name of the flow.
    """

    def __init__(self, flow_name: str) -> None:
        super().__init__(flow_name)
        self.flow_name = flow_name

    def __str__(self) -> str:
        return (
            f"flow {self.flow_name!r} cannot be executed: setup has not been called. Call "
            "flow.setup(function, *arguments) first, or define run() in a subclass of Flow."
        )


class NotExecutedError(FlowscopeError, RuntimeError):
    """The outcome of a flow was asked for before there was one.

    Attributes:
        flow_name: The name of the flow.
        status: The flow's status, "pending" or "running".
    """

    def __init__(self, flow_name: str, status: str) -> None:
        super().__init__(flow_name, status)
        self.flow_name = flow_name
        self.status = status

    def __str__(self) -> str:
        return (
            f"flow {self.flow_name!r} has no return value yet, it is {self.status}. Execute it first: "
            "`flow.execute()` or `await flow`."
        )


class AlreadyRunningError(FlowscopeError, RuntimeError):
    """One flow or task object was executed, or changed, while or after it was executed elsewhere.

    Attributes:
        what: The flow or task, such as "flow 'ingest'".
        status: Its status.
        attribute: The attribute that was set; None if it was executed.
    """

    def __init__(self, what: str, status: str, attribute: str | None = None) -> None:
        super().__init__(what, status, attribute)
        self.what = what
        self.status = status
        self.attribute = attribute

    def __str__(self) -> str:
        if self.attribute is not None:
            return (
                f"{self.attribute} of {self.what} cannot be set, it is {self.status} already, and its record would not "
                "follow. Set it before: of a flow before its first task, message or print, of a task before its end."
            )
        return f"{self.what} cannot be executed, it is {self.status} already. Make a new one for another execution."


class DefinitionError(FlowscopeError, TypeError, ValueError):
    """Something was decorated, or an option given, that cannot work: of a wrong kind, or out of range.

    Attributes:
        what: What was defined, such as "task 'parse'".
        reason: What is wrong, and what to do instead.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what = what
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


class InjectionError(FlowscopeError, TypeError):
    """A parameter cannot be injected.

    Attributes:
        function: The name of the function.
        parameter: The name of the parameter.
        reason: What is wrong, and what to do instead.
    """

    def __init__(self, function: str, parameter: str, reason: str) -> None:
        super().__init__(function, parameter, reason)
        self.function = function
        self.parameter = parameter
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.function}(): parameter {self.parameter!r} cannot be injected: {self.reason}"


class ParameterError(FlowscopeError, ValueError):
    """An argument does not fit the annotation of its parameter.

    The value itself is not kept: it may be a secret.

    Attributes:
        function: The name of the flow or task.
        parameter: The name of the parameter.
        value_type: The name of the value's type.
        reason: Pydantic's words for what is wrong.
    """

    def __init__(self, function: str, parameter: str, value_type: str, reason: str) -> None:
        super().__init__(function, parameter, value_type, reason)
        self.function = function
        self.parameter = parameter
        self.value_type = value_type
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.function}: bad value for parameter {self.parameter!r}, of type {self.value_type}: {self.reason}"


class TaskTimeoutError(FlowscopeError, TimeoutError):
    """An attempt of a task passed its deadline.

    Attributes:
        task_name: The name of the task.
        timeout: The time it had, in seconds.
    """

    def __init__(self, task_name: str, timeout: float) -> None:
        super().__init__(task_name, timeout)
        self.task_name = task_name
        self.timeout = timeout

    def __str__(self) -> str:
        return f"task {self.task_name!r} did not end within {self.timeout:g} s"


class SerializationError(FlowscopeError, TypeError):
    """Something cannot travel to another process or back.

    Attributes:
        what: What it is, such as "argument 'db' of task 'load'".
        value_type: The name of its type.
        reason: Why pickle refuses it.
    """

    def __init__(self, what: str, value_type: str, reason: str) -> None:
        super().__init__(what, value_type, reason)
        self.what = what
        self.value_type = value_type
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.what}, of type {self.value_type}, cannot travel between processes: {self.reason}. Pass plain data "
            "and functions of modules, and open files, connections and locks where they are used."
        )


class RemoteDataError(FlowscopeError, TypeError):
    """The flow's shared data was written to in another process, where it is a snapshot.

    Attributes:
        key: What was to be written; None for all of it.
    """

    def __init__(self, key: object = None) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        what = "flow_data" if self.key is None else f"flow_data[{self.key!r}]"
        return (
            f"{what} cannot be written in another process: what a task finds there is a snapshot. Return the value, "
            "and write it where the flow runs."
        )


class RemoteTaskError(FlowscopeError, RuntimeError):
    """An exception of another process that cannot travel, as text.

    Attributes:
        error_type: The name of its class, with its module.
        message: Its text.
        traceback: Its traceback as Python prints it.
    """

    def __init__(self, error_type: str, message: str, traceback: str) -> None:
        super().__init__(error_type, message, traceback)
        self.error_type = error_type
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        return f"{self.error_type}: {self.message}\n\n{self.traceback}".rstrip()


class WorkerDiedError(FlowscopeError, RuntimeError):
    """A worker process ended amid a task, or there was none for it.

    Attributes:
        task_name: The name of the task.
        exit_code: The exit code of the process, negative for a signal; None if nobody knows.
        ready: Whether it was ready to work; if not, the task has not been started.
        reason: Why there was no process for the task; empty if one has ended by itself.
    """

    def __init__(self, task_name: str, exit_code: int | None = None, ready: bool = True, reason: str = "") -> None:
        super().__init__(task_name, exit_code, ready, reason)
        self.task_name = task_name
        self.exit_code = exit_code
        self.ready = ready
        self.reason = reason

    def __str__(self) -> str:
        if self.reason:
            return f"there is no worker process for task {self.task_name!r}: {self.reason}"
        code = "" if self.exit_code is None else f" (exit code {self.exit_code})"
        if not self.ready:
            return (
                f"the worker process for task {self.task_name!r} ended{code} before it was ready. Workers import the main "
                "module: it has to be a file, and start its flows below `if __name__ == '__main__':` only."
            )
        return (
            f"the worker process that ran task {self.task_name!r} died{code}. It may have been killed, have run out of "
            "memory, or have crashed in native code; other tasks are not affected."
        )


class CoordinationError(FlowscopeError, ValueError):
    """Flows cannot be coordinated as they were asked to be; nothing has been changed.

    Attributes:
        what: What it is about, such as "flow 'load'".
        reason: What is wrong, and what to do instead.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what = what
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.what} {self.reason}"


class GraphError(FlowscopeError, ValueError):
    """A routine graph, a job or a message cannot be used as was asked; nothing has been changed.

    Attributes:
        reason: What is wrong, and what to do instead.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason
