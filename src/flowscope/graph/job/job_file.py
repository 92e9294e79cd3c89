"""Jobs in files: written whole or not at all, with a checksum."""

import os
import re
import stat
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from ..._clock import new_token
from ...errors import GraphError

if sys.platform != "win32":  # where a file that is being written cannot be removed
    import fcntl

__all__ = ["SEAL", "document", "replace_file", "write_atomically"]

_SUFFIX: Final = ".flowscope-save"
"""Of files that are being written; one that nobody writes any more is what a killed process has left."""
_NAME_CHARS: Final = 100
"""Of the job's file, in the names of such files: no file system takes much longer ones."""
SEAL: Final = re.compile(rb',\n  "checksum": "sha256:([0-9a-f]{64})"\n}\n\Z')
"""The end of a file, with the checksum of the rest."""


def document(state: BaseModel, indent: int | None = None) -> bytes:
    """A model as JSON.

    Raises:
        GraphError: Something in it has no exact JSON form.
    """
    try:
        return state.model_dump_json(indent=indent).encode()
    except PydanticSerializationError as error:
        message = str(error)
        raise GraphError(message.partition("GraphError: ")[2] or message) from error


def write_atomically(path: Path, state: BaseModel) -> Path:
    """Write a model as JSON, with the checksum of the rest as its last member, in the place of a file.

    Raises:
        GraphError: Something in it has no exact JSON form.
    """
    text = document(state, indent=2)
    checksum = sha256(text).hexdigest().encode()
    replace_file(path, text[:-2] + b',\n  "checksum": "sha256:%s"\n}\n' % checksum)
    return path


def replace_file(path: Path, content: bytes) -> os.stat_result:
    """Write a file beside another one, then put it in the place of that; return its status.

    A link stays one, and the file that it leads to is written. A file that is replaced keeps its mode; a new one is for
    its owner alone. Files that killed processes have left of earlier attempts are removed.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _fresh(target) as (fresh, file):
        _keep_mode(target, fresh)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        file_status = os.fstat(file.fileno())
        fresh.replace(target)
    _remove_remains(target)
    return file_status


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
