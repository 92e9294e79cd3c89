"""The kinds of `GraphError` that a program may tell apart.

GraphError (ValueError)
├── UnknownNameError    a routine, slot or event of a name that there is not
├── NameTakenError      a second routine, slot or event of one name
├── JobStateError       a job whose status does not allow what was asked
└── SpecError           a spec that cannot be made or read
"""

from typing import Any

from ..errors import GraphError
from ..model.status import RunStatus

__all__ = ["JobStateError", "NameTakenError", "SpecError", "UnknownNameError"]


class UnknownNameError(GraphError):
    """There is no routine, slot or event of a name.

    Attributes:
        reason: What is unknown, and which names there are.
        name: The unknown name; usually a text.
    """

    def __init__(self, reason: str, name: object) -> None:
        super().__init__(reason)
        self.args: tuple[Any, ...] = (reason, name)
        self.name = name


class NameTakenError(GraphError):
    """There is a routine, slot or event of that name already.

    Attributes:
        reason: What has the name.
        name: The name.
    """

    def __init__(self, reason: str, name: str) -> None:
        super().__init__(reason)
        self.args: tuple[Any, ...] = (reason, name)
        self.name = name


class JobStateError(GraphError):
    """The status of a job does not allow what was asked.

    Attributes:
        reason: What the job is, and what to do instead.
        job_id: The job's.
        status: The job's status at that moment.
    """

    def __init__(self, reason: str, job_id: str, status: RunStatus) -> None:
        super().__init__(reason)
        self.args: tuple[Any, ...] = (reason, job_id, status)
        self.job_id = job_id
        self.status = status


class SpecError(GraphError):
    """A graph has no spec, or no graph can be made of a spec.

    Attributes:
        reason: What is wrong with it.
    """
