"""Every error that flowscope raises of its own accord.

    FlowscopeError
    ├── NoActiveFlowError (RuntimeError)      a task, or current_flow(), where no flow is running
    ├── NoActiveTaskError (RuntimeError)      current_task() where no task is running
    ├── NotSetUpError (ValueError)            a flow executed before setup
    ├── NotExecutedError (RuntimeError)       a return value asked for before the execution
    ├── AlreadyRunningError (RuntimeError)    one flow or task object executed twice at once
    ├── DefinitionError (TypeError)           something that cannot be a flow or a task
    ├── InjectionError (TypeError)            wiring that cannot work
    ├── ParameterError (ValueError)           an argument that does not fit its annotation
    └── TaskTimeoutError (TimeoutError)       an attempt that passed its deadline

Exceptions of the user's own code are never wrapped: they come back as the very objects that were raised. All errors
pickle, and keep what they are about as attributes.
"""

__all__ = [
    "AlreadyRunningError",
    "DefinitionError",
    "FlowscopeError",
    "InjectionError",
    "NoActiveFlowError",
    "NoActiveTaskError",
    "NotExecutedError",
    "NotSetUpError",
    "ParameterError",
    "TaskTimeoutError",
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
                "ended. Await or join what the flow starts before its function returns."
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
    """One flow or task object was executed while, or after, it was executed elsewhere.

    Attributes:
        what: The flow or task, such as "flow 'ingest'".
        status: Its status.
    """

    def __init__(self, what: str, status: str) -> None:
        super().__init__(what, status)
        self.what = what
        self.status = status

    def __str__(self) -> str:
        return f"{self.what} cannot be executed, it is {self.status} already. Make a new one for another execution."


class DefinitionError(FlowscopeError, TypeError):
    """Something was decorated, or an option given, that cannot work.

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
