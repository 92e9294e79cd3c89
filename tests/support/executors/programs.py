"""Programs that submit, in an interpreter of their own."""

import os
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

PRELUDE = """
import asyncio, itertools, os, sys, threading
from flowscope import *

@task
def quick(number=0):
    return number

@task
async def quick_async(number=0):
    return number

@task
def forever(started=None):
    if started is not None:
        started.set()
    threading.Event().wait()

@task
async def forever_async(started=None):
    if started is not None:
        started.set()
    await asyncio.Event().wait()

@task
def forever_there(path):
    open(path, "w").close()  # a named pipe: it waits until somebody waits for it
    threading.Event().wait()

@task
async def forever_there_async(path):
    open(path, "w").close()
    await asyncio.Event().wait()

@task
def tell():
    return os.getpid()

def wait_for(path):
    open(path).close()

"""


SECONDS = 12.0
"""How long a program may take: it needs two for its imports and worker processes on a busy machine."""


PIPES = ("started", "first", "second", "third")
"""Named pipes that tasks open to say that they have started."""


class Ended:
    """What a program left behind."""

    def __init__(self, code: int, out: str, err: str, seconds: float) -> None:
        self.code = code
        self.out = out
        self.err = err
        self.seconds = seconds


def run(folder: Path, body: str, *, output: bool = True, options: tuple[str, ...] = ("-W", "error")) -> Ended:
    """Run a program, and see how it ends; without its output, which others may hold open."""
    for name in PIPES:
        os.mkfifo(folder / name)
    script = folder / "program.py"
    indented = "".join(f"    {line}\n" for line in dedent(body).strip().splitlines())
    script.write_text(f'{PRELUDE}if __name__ == "__main__":\n{indented}', "utf-8")
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, *options, str(script)],
        cwd=folder,
        stdout=subprocess.PIPE if output else subprocess.DEVNULL,
        stderr=subprocess.PIPE if output else subprocess.DEVNULL,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
    )
    return Ended(done.returncode, done.stdout or "", done.stderr or "", time.monotonic() - started)


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that is nobody's child here."""
    try:
        psutil.Process(pid).wait(20)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        os.kill(pid, 9)
        pytest.fail(f"process {pid} goes on")
