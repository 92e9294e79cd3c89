"""Executors in forked processes."""

import os
import subprocess
import sys

import pytest

FORK = """
import os, sys, threading
from flowscope import *

@task
def where():
    return os.getpid()

@task
async def where_async():
    return os.getpid()

pools = [ThreadExecutor(2), AsyncioExecutor(), "thread", "asyncio"]

def use():
    found = set()
    for pool in pools:
        with Flow(), use_executor(pool):
            found |= {submit(where).result(20), submit(where_async).result(20)}
    return found

@flow
def forks():
    submit(where).result()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if current_flow_or_none() is None and use() == {os.getpid()} else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

assert use() == {os.getpid()}
assert forks().execute().return_value == 0
assert use() == {os.getpid()}
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.parametrize("python", [["-X", "dev"], []], ids=["dev mode", "normal"])
def test_a_forked_process_starts_anew(python: list[str]) -> None:
    """A child that was forked amid all this submits to the same executors, in threads of its own."""
    done = subprocess.run(
        [sys.executable, *python, "-c", FORK], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


FORK_WITH_PROCESSES = """
import os
from flowscope import *
from support.executors.tasks import locate

pool = ProcessExecutor(1)

def use():
    with Flow(), use_executor(pool):
        return submit(locate).result(20)[0]

first = use()
child = os.fork()
if child == 0:
    code = 1
    try:
        mine = use()
        code = 0 if mine != first and mine != os.getpid() else 2
        pool.close()
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert use() == first
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_forked_process_starts_its_own_workers(tests_on_path: dict[str, str]) -> None:
    """A forked child shares no worker process with its parent, and takes none away."""
    done = subprocess.run(
        [sys.executable, "-c", FORK_WITH_PROCESSES],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env=tests_on_path,
    )
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


FORK_AND_LEAVE = """
import os, sys
from flowscope import *
from support.executors.tasks import locate

pool = ProcessExecutor(1)

def use():
    with Flow(), use_executor(pool):
        return submit(locate).result(20)[0]

first = use()
if os.fork() == 0:
    sys.exit(0)
os.wait()
assert use() == first
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_forked_process_kills_nobody(tests_on_path: dict[str, str]) -> None:
    """A forked child that leaves the normal way, by its exit functions, leaves its parent's workers alone."""
    done = subprocess.run(
        [sys.executable, "-c", FORK_AND_LEAVE],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env=tests_on_path,
    )
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
