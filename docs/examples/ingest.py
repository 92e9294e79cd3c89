"""An ingest pipeline over Python's own source files, as a routine graph: paused half-way, and finished by another process.

    python docs/examples/ingest.py
    python docs/examples/ingest.py --limit 200
    python docs/examples/ingest.py start --save-to job.json --pause-after 500
    python docs/examples/ingest.py resume job.json

The graph finds files, routes them by their size, parses the small ones and skims the large ones, and adds the measures up
in batches. One routine is optional, and fails for every module without a docstring. Without a command the script does
what the two commands do: it runs the first half of a job here, the second in a process of its own, and prints a report.

While it runs, the job is saved every now and then. So one that was killed is resumed like one that was paused.
"""

import argparse
import ast
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final, TypedDict

from flowscope import RunStatus
from flowscope.graph import Aggregator, ConditionalRouter, GraphError, JobState, Routine, RoutineGraph, event, slot

BATCH: Final = 25
SKIPPED: Final = frozenset({"site-packages", "dist-packages", "__pycache__"})


class File(TypedDict):
    """A file, as `Discover` sends it."""

    path: str
    size: int


class Measure(TypedDict):
    """What is known of a file in the end; `process` is the id of the process that found it out."""

    path: str
    lines: int
    functions: int
    classes: int
    broken: bool
    process: int


class Discover(Routine):
    """Sends a message for each source file below a folder; as many as fill whole batches."""

    root: Path
    limit: int
    batch: int
    found = event("path", "size")

    @slot
    def trigger(self) -> None:
        """Look for files."""
        paths: list[Path] = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(set(folders) - SKIPPED)
            paths.extend(Path(folder, name) for name in sorted(names) if name.endswith(".py"))
        taken = min(self.limit, len(paths))
        for path in paths[: taken - taken % self.batch]:
            self.emit("found", path=str(path), size=path.stat().st_size)


class Parse(Routine):
    """Parses a file."""

    measured = event("path", "lines", "functions", "classes", "broken", "process")
    parsed = event("path", "docstring")

    @slot(name="input")
    def parse(self, data: File) -> None:
        """Count what the file defines; one that no parser accepts is `broken`."""
        path, source = data["path"], Path(data["path"]).read_bytes()
        try:
            tree = ast.parse(source, path)
        except (SyntaxError, ValueError):
            self.emit("measured", **measure(path, source, broken=True))
            return
        kinds = Counter(type(node) for node in ast.walk(tree))
        functions = kinds[ast.FunctionDef] + kinds[ast.AsyncFunctionDef]
        self.emit("measured", **measure(path, source, functions=functions, classes=kinds[ast.ClassDef]))
        self.emit("parsed", path=path, docstring=ast.get_docstring(tree))


class Skim(Routine):
    """Counts the lines of a file that is too large to be parsed."""

    measured = event("path", "lines", "functions", "classes", "broken", "process")

    @slot(name="input")
    def skim(self, data: File) -> None:
        """Count its lines."""
        self.emit("measured", **measure(data["path"], Path(data["path"]).read_bytes()))


class Title(Routine):
    """Keeps the first line of a module's docstring."""

    @slot(name="input")
    def keep(self, path: str, docstring: str | None) -> None:
        """Keep it; a module without a docstring is an error."""
        if not docstring:
            raise LookupError(f"{path} has no docstring")
        self.job.update_shared_data(f"title {path}", docstring.partition("\n")[0])


class Summary(Routine):
    """Keeps the sums of a batch.

    They have a key of their own: a handler that ran when the job was saved runs again where that file is resumed, and
    has to write the same thing then, and not one thing more.
    """

    @slot(name="input")
    def add_up(self, items: list[Measure]) -> None:
        """Add them up."""
        sums = {name: sum(one[name] for one in items) for name in ("lines", "functions", "classes", "broken")}
        processes = {one["path"]: one["process"] for one in items}
        self.job.update_shared_data(f"batch {items[0]['path']}", {"processes": processes, "sums": sums})


def measure(path: str, source: bytes, *, functions: int = 0, classes: int = 0, broken: bool = False) -> dict[str, Any]:
    row = Measure(
        path=path,
        lines=source.count(b"\n"),
        functions=functions,
        classes=classes,
        broken=broken,
        process=os.getpid(),
    )
    return dict(row)


def build(root: Path, limit: int) -> RoutineGraph:
    """The pipeline."""
    graph = RoutineGraph("ingest", execution_strategy="concurrent", max_workers=4)
    graph.add_routine(Discover(root=root, limit=limit, batch=BATCH), "discover")
    graph.add_routine(ConditionalRouter(routes=[("large", "data['size'] > 60_000")], default_route="small"), "by_size")
    graph.add_routine(Parse(), "parse")
    graph.add_routine(Skim(), "skim")
    graph.add_routine(Title().set_as_optional(), "title")
    graph.add_routine(Aggregator(count=BATCH), "batches")
    graph.add_routine(Summary(), "summary")
    graph.connect("discover", "found", "by_size", "input")
    graph.connect("by_size", "small", "parse", "input")
    graph.connect("by_size", "large", "skim", "input")
    graph.connect("parse", "measured", "batches", "input")
    graph.connect("skim", "measured", "batches", "input")
    graph.connect("parse", "parsed", "title", "input")
    graph.connect("batches", "aggregated", "summary", "input")
    return graph


def spec_beside(save_to: Path) -> Path:
    """Where the spec of a job's graph is."""
    return save_to.with_suffix(".graph.json")


def start(save_to: Path, root: Path, limit: int, pause_after: int | None = None) -> JobState:
    """Run a job, to its end or until so many files are through, and leave it and its graph in files."""
    with build(root, limit) as graph:
        spec_beside(save_to).write_text(graph.serialize().model_dump_json(indent=2), "utf-8")
        job = graph.start("discover", save_to=save_to)
        while not graph.wait_for_completion(job, timeout=0.05):
            done = measured(job)
            print(f"{done} files are measured", flush=True)
            if pause_after is not None and done >= pause_after:
                graph.pause(job, "far enough", {"files": done})
        return job


def resume(path: Path) -> JobState:
    """Go on with the job of a file, in a graph that is made again from its spec, and write it back."""
    with RoutineGraph.deserialize(spec_beside(path).read_bytes()) as graph:
        return graph.resume(JobState.load(path), save_to=path)


def start_here_and_resume_elsewhere(root: Path, limit: int) -> None:
    """Run half of a job in this process, and the rest in another one."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "job.json")
        print(f"process {os.getpid()} starts a job")
        tell(start(file, root, limit, pause_after=limit // 2))
        print("another process resumes it", flush=True)
        subprocess.run([sys.executable, __file__, "resume", str(file)], check=True)  # noqa: S603 - this script


def measured(job: JobState) -> int:
    """How many files have been measured so far."""
    return sum(found.total_executions for found in map(job.performance, ("parse", "skim")) if found is not None)


def batches(job: JobState) -> list[dict[str, Any]]:
    """What `Summary` has kept."""
    return [value for key, value in job.shared_data.items() if key.startswith("batch ")]


def tell(job: JobState) -> None:
    """Print how a job stands, and, once it has completed, what it has found out, and whether each file counts once."""
    print(f"job {job.job_id} is {job.status}; files measured: {measured(job)}; waiting: {len(job.pending_activations)}")
    if job.status is not RunStatus.COMPLETED:
        return
    added_up = Counter(path for batch in batches(job) for path in batch["processes"])
    processes = Counter(process for batch in batches(job) for process in batch["processes"].values())
    print(f"files added up: {len(added_up)}, more than once: {sum(number > 1 for number in added_up.values())}")
    print("by process:", ", ".join(f"{process}: {number}" for process, number in sorted(processes.items())))
    for name in ("lines", "functions", "classes", "broken"):
        print(f"{name}: {sum(batch['sums'][name] for batch in batches(job))}")
    titles = job.performance("title")
    if titles is not None:
        print(f"titles: {titles.completed}, failed: {titles.failed}, which the job has tolerated")


def main() -> None:
    """Run the pipeline as a script."""
    parser = argparse.ArgumentParser(description="Measure the standard library of this Python, in two processes.")
    add_options(parser)
    commands = parser.add_subparsers(dest="command")
    starting = commands.add_parser("start", help="start a job, and pause it on its way")
    add_options(starting)
    starting.add_argument("--save-to", type=Path, required=True, metavar="FILE", help="where to save the job")
    starting.add_argument("--pause-after", type=int, metavar="FILES", help="when to pause it; never, if not given")
    resuming = commands.add_parser("resume", help="go on with a job")
    resuming.add_argument("file", type=Path, help="where it was saved")
    options = parser.parse_args()
    try:
        if options.command == "start":
            tell(start(options.save_to, options.root, options.limit, options.pause_after))
        elif options.command == "resume":
            tell(resume(options.file))
        else:
            start_here_and_resume_elsewhere(options.root, options.limit)
    except (GraphError, OSError) as error:
        sys.exit(f"{error}")


def add_options(parser: argparse.ArgumentParser) -> None:
    library = Path(sysconfig.get_paths()["stdlib"])
    parser.add_argument("--root", type=Path, default=library, help="the folder with the files")
    parser.add_argument("--limit", type=int, default=1000, help="how many files; only whole batches are taken")


if __name__ == "__main__":
    main()
