"""Reading the files of jobs, with clear errors."""

from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ...errors import GraphError
from .job_file import SEAL
from .job_journal import is_journal, read_journal

__all__ = ["read_job"]

J = TypeVar("J", bound=BaseModel)


def read_job(kind: type[J], path: Path) -> J:
    """Read a model from a file: a journal, or JSON. JSON without a checksum is of an earlier version, or written by hand.

    Raises:
        FileNotFoundError: There is no such file.
        GraphError: It holds something else, or has been changed or cut since it was written.
    """
    raw = path.read_bytes()
    try:
        state = kind.model_validate_json(read_journal(raw, path) if is_journal(raw) else raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise GraphError(f"{str(path)!r} is not the file of a job of this version: {where}: {first['msg']}.") from error
    _check(state, raw, path)
    return state


def _check(state: Any, raw: bytes, path: Path) -> None:
    if state.checksum is not None:
        seal = SEAL.search(raw)
        if seal is None or sha256(raw[: seal.start()] + b"\n}").hexdigest().encode() != seal[1]:
            raise GraphError(
                f"{str(path)!r} is not the file of a job as it was saved: its checksum does not fit. Take a copy of it; "
                "to use it as it has been edited, remove its member 'checksum'."
            )
        state.checksum = None
