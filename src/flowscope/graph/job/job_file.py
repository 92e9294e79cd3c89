"""RunningJobs in files: written whole or not at all, with a checksum, and read with clear errors."""

import os
import re
import stat
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from ..._clock import new_token
from ...errors import GraphError

if sys.platform != "win32":  # where a file that is being written cannot be removed
    import fcntl

__all__ = ["job_text", "read_job", "write_atomically"]

J = TypeVar("J", bound=BaseModel)

_SUFFIX: Final = ".flowscope-save"
"""Of files that are being written; one that nobody writes any more is what a killed process has left."""
_NAME_CHARS: Final = 100
"""Of the job's file, in the names of such files: no file system takes much longer ones."""
_SEALED: Final = re.compile(rb',\n  "checksum": "sha256:([0-9a-f]{64})"\n}\n\Z')


def job_text(state: BaseModel) -> bytes:
    """A model as JSON, with the checksum of the rest as its last member.

    Raises:
        GraphError: Something in it has no exact JSON form.
    """
    try:
        text = state.model_dump_json(indent=2).encode()
    except PydanticSerializationError as error:
        told = str(error)
        raise GraphError(told.partition("GraphError: ")[2] or told) from error
    return text[:-2] + b',\n  "checksum": "sha256:%s"\n}\n' % sha256(text).hexdigest().encode()


def write_atomically(path: Path, state: BaseModel) -> Path:
    """Write a model as JSON beside the file, then put it in the file's place.

    A link stays one, and the file that it leads to is written. A file that is replaced keeps its mode; a new one is for
    its owner alone. What killed processes have left of earlier attempts is removed.

    Raises:
        GraphError: Something in it has no exact JSON form.
    """
    text = job_text(state)
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _fresh(target) as (fresh, file):
        _keep_mode(target, fresh)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        fresh.replace(target)
    _remove_remains(target)
    return path


@contextmanager
def _fresh(target: Path) -> Generator[tuple[Path, BinaryIO]]:
    """A file beside the target, which is locked for as long as it is written, and removed if that fails."""
    while True:
        fresh = target.with_name(f"{_prefix(target)}{new_token()}{_SUFFIX}")
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            if not (_try_lock(file) and fresh.exists()):
                continue  # another process has taken it for what a killed one has left
            try:
                yield fresh, file
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise
            return


def _prefix(target: Path) -> str:
    return f".{target.name[:_NAME_CHARS]}."


def _keep_mode(target: Path, fresh: Path) -> None:
    with suppress(FileNotFoundError):
        fresh.chmod(stat.S_IMODE(target.stat().st_mode))


def _try_lock(file: BinaryIO) -> bool:
    """Whether the file is locked for this process now; where there are no locks, it is taken to be."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _remove_remains(target: Path) -> None:
    for one in _remains(target):
        with suppress(OSError), one.open("rb+") as file:
            if _try_lock(file):
                one.unlink()  # on Windows this fails while it is open: there it is left


def _remains(target: Path) -> Iterator[Path]:
    prefix = _prefix(target)
    for entry in os.scandir(target.parent):
        name = entry.name
        if name.startswith(prefix) and name.endswith(_SUFFIX):
            token = name[len(prefix) : -len(_SUFFIX)]
            if len(token) == _TOKEN_CHARS and set(token) <= _HEXADECIMAL:
                yield target.with_name(name)


_TOKEN_CHARS: Final = 16
_HEXADECIMAL: Final = frozenset("0123456789abcdef")


def read_job(kind: type[J], path: Path) -> J:
    """Read a model from a JSON file. One without a checksum is of an earlier version, or written by hand.

    Raises:
        FileNotFoundError: There is no such file.
        GraphError: It holds something else, or has been changed or cut since it was written.
    """
    raw = path.read_bytes()
    try:
        state = kind.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise GraphError(f"{str(path)!r} is not the file of a job of this version: {where}: {first['msg']}.") from error
    _check(state, raw, path)
    return state


def _check(state: Any, raw: bytes, path: Path) -> None:
    if state.checksum is not None:
        seal = _SEALED.search(raw)
        if seal is None or sha256(raw[: seal.start()] + b"\n}").hexdigest().encode() != seal[1]:
            raise GraphError(
                f"{str(path)!r} is not the file of a job as it was saved: its checksum does not fit. Take a copy of it; "
                "to use it as it has been edited, remove its member 'checksum'."
            )
        state.checksum = None
