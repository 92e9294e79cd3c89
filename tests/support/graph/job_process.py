"""A graph that several processes build alike, and what they do with jobs of it: `python -m … <what> <file>`."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from flowscope.graph import JobState, Routine, RoutineGraph, event, slot

__all__ = ["STEPS", "build", "main"]

STEPS = 12


def _sum(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {"total": old.get("total", 0) + new["value"]}


class Numbers(Routine):
    """Emits numbers."""

    count: int = STEPS
    out = event("value")

    @slot
    def trigger(self) -> None:
        """Emit them all."""
        for value in range(self.count):
            self.emit("out", value=value)


class Work(Routine):
    """Writes down what it does, in a file that outlives it, and may pause its job or kill its process."""

    trace: str
    pause_at: int = -1
    kill_at: int = -1
    out = event("value")

    @slot
    def trigger(self, value: int) -> None:
        """Work on one number."""
        with Path(self.trace).open("a", encoding="utf-8") as file:
            file.write(f"{value}\n")
        self.emit("out", value=value)
        if value == self.pause_at:
            GRAPHS[0].pause(self.job, "as told")
        if value == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


class AsyncWork(Work):
    """The same in an event loop, and tells whoever reads its standard output."""

    @slot(name="trigger")
    async def work(self, value: int) -> None:
        """Work on one number."""
        with Path(self.trace).open("a", encoding="utf-8") as file:
            file.write(f"{value}\n")
        os.write(1, b".")
        await asyncio.sleep(0)
        self.emit("out", value=value)


class ToldWork(Work):
    """The same, and tells whoever reads its standard output."""

    @slot
    def trigger(self, value: int) -> None:
        """Work on one number."""
        super().trigger(value)
        os.write(1, b".")


class Total(Routine):
    """Adds up."""

    @slot(name="input", merge_strategy=_sum)
    def take(self, total: int) -> None:
        """Write down the sum so far."""
        self.job.append_to_shared_log({"total": total})


GRAPHS: list[RoutineGraph] = []


def build(trace: str, **options: Any) -> RoutineGraph:
    """The graph."""
    graph = RoutineGraph("jobs")
    graph.add_routine(Numbers(), "numbers")
    graph.add_routine(Work(trace=trace, **options), "work")
    graph.add_routine(Total(), "total")
    graph.connect("numbers", "out", "work", "trigger")
    graph.connect("work", "out", "total", "input")
    GRAPHS[:] = [graph]
    return graph


def run(file: str, trace: str, kind: str, mode: Any, count: str) -> None:
    """Start a job, or go on with the one of that file."""
    graph = RoutineGraph("jobs", execution_strategy=mode, max_workers=3)
    graph.add_routine(Numbers(count=int(count)), "numbers")
    graph.add_routine((AsyncWork if kind == "async" else ToldWork)(trace=trace), "work")
    graph.add_routine(Total(), "total")
    graph.connect("numbers", "out", "work", "trigger")
    graph.connect("work", "out", "total", "input")
    if Path(file).exists():
        graph.resume(JobState.load(file), save_to=file, save_every=1)
    else:
        graph.execute("numbers", save_to=file, save_every=1)


def main(what: str, file: str, trace: str, at: str = "-1", every: str = "1") -> None:
    """Start a job, which is killed or paused on its way, or go on with one."""
    if what == "kill":
        build(trace, kill_at=int(at)).execute("numbers", save_to=file, save_every=int(every))
    elif what == "pause":
        build(trace, pause_at=int(at)).execute("numbers").save(file)
    else:
        build(trace).resume(JobState.load(file)).save(file)


if __name__ == "__main__":
    (run if sys.argv[1] == "run" else main)(*sys.argv[1 + (sys.argv[1] == "run") :])
