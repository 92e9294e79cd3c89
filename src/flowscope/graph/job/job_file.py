"""RunningJobs in files: written whole or not at all, and read with clear errors."""

import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from ..._clock import new_token
from ...errors import GraphError

__all__ = ["read_job", "write_atomically"]

J = TypeVar("J", bound=BaseModel)


def write_atomically(path: Path, state: BaseModel) -> Path:
    """Write a model as JSON beside the file, then put it in the file's place.

    Raises:
        GraphError: Something in it has no exact JSON form.
    """
    try:
        text = state.model_dump_json(indent=2)
    except PydanticSerializationError as error:
        told = str(error)
        raise GraphError(told.partition("GraphError: ")[2] or told) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{new_token()}")
    try:
        with fresh.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return path


def read_job(kind: type[J], path: Path) -> J:
    """Read a model from a JSON file.

    Raises:
        FileNotFoundError: There is no such file.
        GraphError: It holds something else.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise GraphError(f"{str(path)!r} is not the file of a job of this version: {where}: {first['msg']}.") from error
