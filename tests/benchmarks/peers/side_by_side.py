"""Measuring each library in a process of its own, where it can neither slow the others down nor hang them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from ..conditions import installed
from ..figures import Effort
from ..measure import Timing, compare, traced
from .by_hand import ByHand
from .peer import GraphPeer, TaskPeer

__all__ = ["PEERS", "Cost", "Outcome", "measure_here", "measure_peer"]

PATIENCE: Final = 240.0
"""Seconds that one library may take."""
GRAPH: Final = 1_000
"""Nodes."""

_COMMAND: Final = Path(__file__).resolve().parents[1] / "run.py"


class _Side(NamedTuple):
    title: str
    package: str
    """What has to be installed."""
    module: str
    peer: str
    """The class in the module."""


PEERS: Final = {
    "flowscope": _Side("flowscope", "flowscope", "flowscope_peer", "Flowscope"),
    "osbot-utils": _Side("OSBot-Utils", "osbot-utils", "osbot_peer", "OSBot"),
    "langgraph": _Side("LangGraph", "langgraph", "langgraph_peer", "LangGraph"),
    "prefect": _Side("Prefect", "prefect", "prefect_peer", "Prefect"),
    "hamilton": _Side("Hamilton", "sf-hamilton", "hamilton_peer", "Hamilton"),
    "routilux": _Side("Routilux", "routilux", "routilux_peer", "Routilux"),
}


class Cost(NamedTuple):
    """What a piece of work took."""

    amount: float
    """In nanoseconds, or in bytes of memory."""
    by_hand: float
    """What the same by hand took, in turns with it."""


class Outcome(NamedTuple):
    """What a library needed, or why nobody knows."""

    title: str
    costs: dict[str, Cost]
    """By the names of the work that it does; empty if it was not measured."""
    reason: str = ""
    """Why it was not measured."""


def measure_here(name: str, effort: Effort) -> dict[str, Cost]:
    """What a library needs for each piece of work that it does, in this process."""
    side = PEERS[name]
    peer: object = getattr(import_module(f"..{side.module}", __name__), side.peer)()
    return {**_task_costs(peer, effort), **_graph_costs(peer, effort)}


def _task_costs(peer: object, effort: Effort) -> dict[str, Cost]:
    if not isinstance(peer, TaskPeer):
        return {}
    floor = ByHand()
    tasks, flows = effort.few(peer.tasks), effort.few(peer.flows)
    many = effort.of(floor.tasks)
    costs = {
        "sync_task": _cost(lambda: floor.sync_task(many), lambda: peer.sync_task(tasks), effort),
        "async_task": _cost(lambda: floor.async_task(many), lambda: peer.async_task(tasks), effort),
        "empty_flow": _cost(lambda: floor.empty_flow(many), lambda: peer.empty_flow(flows), effort),
    }
    with traced():
        costs["task_memory"] = Cost(peer.task_memory(tasks), floor.task_memory(many))
    return costs


def _graph_costs(peer: object, effort: Effort) -> dict[str, Cost]:
    if not isinstance(peer, GraphPeer):
        return {}
    floor = ByHand()
    size, jobs, many = effort.of(GRAPH), effort.few(peer.jobs), effort.few(floor.jobs)
    return {
        "chain": _cost(lambda: floor.chain(size, many), lambda: peer.chain(size, jobs), effort),
        "fan_out": _cost(lambda: floor.fan_out(size, many), lambda: peer.fan_out(size, jobs), effort),
    }


def _cost(by_hand: Timing, subject: Timing, effort: Effort) -> Cost:
    timed = compare(by_hand, subject, effort.rounds_of(5))
    return Cost(median(timed.subject), median(timed.floor))


def measure_peer(name: str, effort: Effort) -> Outcome:
    """What a library needs for each piece of work, in a fresh process, within a bounded time."""
    side = PEERS[name]
    version = installed(side.package)
    if version is None:
        return Outcome(side.title, {}, "not installed")
    title = f"{side.title} {version}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        told = Path(home) / "costs.json"
        reason = _run([*effort.options, "--peer", name, "--json", str(told)], home)
        if reason:
            return Outcome(title, {}, f"failed: {reason}")
        found: dict[str, tuple[float, float]] = json.loads(told.read_text(encoding="utf-8"))
    return Outcome(title, {work: Cost(*cost) for work, cost in found.items()})


def _run(options: list[str], home: str) -> str:
    """Run this command with other options; the reason why it failed, or nothing."""
    child = subprocess.Popen(
        [sys.executable, str(_COMMAND), *options],
        env={**os.environ, "PREFECT_HOME": home, "LANGSMITH_TRACING": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        _, complaints = child.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f"took more than {PATIENCE:g} s"
    finally:
        _end_all(child)
    if child.returncode == 0:
        return ""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {child.returncode}"


def _end_all(child: subprocess.Popen[str]) -> None:
    """End whatever the child has started and left behind, such as a server."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        child.wait()
