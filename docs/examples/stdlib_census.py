"""A census of Python's standard library, taken from its own source files: what it imports, what it defines.

    flowscope run docs/examples/stdlib_census.py:census
    flowscope run docs/examples/stdlib_census.py:census --param limit=200 --json census.json
    flowscope run docs/examples/stdlib_census.py:census --param 'skip=["test", "tests", "site-packages"]'
    flowscope run docs/examples/stdlib_census.py:census --param executor=process
    python docs/examples/stdlib_census.py --executor process

Parsing is work for the processor, of which threads share one. With `executor=process` the files are parsed in as many
worker processes as there are processors, and the record is the same, but for where its tasks ran.

A few of the files are test data that no parser accepts, such as `test/tokenizedata/badsyntax_3131.py`. The census counts
them, and names them in an artifact. (A Python that comes without the tests of its library has no such files.) A file that
cannot be read at all is a failed task, which the census survives and counts too.
"""

import argparse
import ast
import os
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, Field

from flowscope import INJECTED, Flow, ProcessExecutor, ThreadExecutor, flow, map_tasks, task, use_executor

Positive = Annotated[int, Field(gt=0)]

EXECUTORS: Final = {"thread": ThreadExecutor, "process": ProcessExecutor}


class Module(NamedTuple):
    """What one source file holds; its imports are top-level names, sorted."""

    path: str
    lines: int
    functions: int
    classes: int
    imports: list[str]
    process: int
    """The process that parsed it."""


class Broken(NamedTuple):
    """A file that does not parse."""

    path: str
    reason: str


class Census(BaseModel):
    """The sums over all files that could be parsed."""

    files: int
    broken: int
    """How many files do not parse."""
    unread: int
    """How many files could not be read."""
    lines: int
    functions: int
    classes: int
    processes: int
    """How many processes did the parsing."""


@task
def discover(root: Path, skip: frozenset[str], limit: int | None) -> list[Path]:
    """The source files below `root`, outside folders with a name in `skip`."""
    found: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in skip]
        found.extend(Path(folder, name) for name in files if name.endswith(".py"))
    return sorted(found)[:limit]


@task(raise_on_error=False)
def examine(path: Path) -> Module | Broken:
    """Read and parse one file; one that cannot be read gives None."""
    try:
        return parse(path)
    except (SyntaxError, ValueError) as error:  # ValueError: it holds null characters
        return Broken(str(path), str(error))


@task
def rank(imports: list[list[str]], top: int) -> dict[str, int]:
    """The modules that most files import, each with the number of those files."""
    return dict(Counter(name for names in imports for name in names).most_common(top))


@flow
def census(
    *,
    root: Path | None = None,
    limit: Positive | None = None,
    skip: frozenset[str] = frozenset({"site-packages", "dist-packages"}),
    executor: Literal["thread", "process"] = "thread",
    at_once: Positive | None = None,
    top: Positive = 20,
    this_flow: Flow[Census] = INJECTED,
) -> Census:
    """Count what the source files below `root` define and import; None is the standard library of this Python.

    Up to `at_once` files are parsed at a time; None leaves that to the executor.
    """
    paths = discover(root or Path(sysconfig.get_paths()["stdlib"]), skip, limit)
    with EXECUTORS[executor](at_once) as workers, use_executor(workers):
        examined = list(map_tasks(examine, paths))
    modules = [found for found in examined if isinstance(found, Module)]
    broken = {found.path: found.reason for found in examined if isinstance(found, Broken)}
    table = rank([module.imports for module in modules], top)
    this_flow.add_flow_artifact("the modules that most files import", "imports", table, "table")
    this_flow.add_flow_artifact("the files that do not parse, and why", "broken", broken, "table")
    this_flow.add_flow_result("broken", "files that do not parse", len(broken))
    return Census(
        files=len(paths),
        broken=len(broken),
        unread=examined.count(None),
        lines=sum(module.lines for module in modules),
        functions=sum(module.functions for module in modules),
        classes=sum(module.classes for module in modules),
        processes=len({module.process for module in modules}),
    )


def parse(path: Path) -> Module:
    source = path.read_bytes()
    kinds: Counter[type] = Counter()
    imports: set[str] = set()
    for statement in statements(ast.parse(source, filename=path)):
        kinds[type(statement)] += 1
        imports.update(imported(statement))
    functions = kinds[ast.FunctionDef] + kinds[ast.AsyncFunctionDef]
    return Module(str(path), source.count(b"\n"), functions, kinds[ast.ClassDef], sorted(imports), os.getpid())


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement inside `node`; expressions, which are most of a tree, are left alone."""
    for block in ("body", "handlers", "cases", "orelse", "finalbody"):
        for statement in getattr(node, block, ()):
            yield statement
            yield from statements(statement)


def imported(statement: ast.AST) -> list[str]:
    """The top-level names that a statement imports; relative imports stay in the family and do not count."""
    if isinstance(statement, ast.Import):
        return [alias.name.partition(".")[0] for alias in statement.names]
    if isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
        return [statement.module.partition(".")[0]]
    return []


def main() -> None:
    """Take the census as a script, and print it."""
    parser = argparse.ArgumentParser(description="Count what the standard library of this Python defines and imports.")
    parser.add_argument("--executor", choices=EXECUTORS, default="thread", help="where files are parsed")
    parser.add_argument("--limit", type=int, help="how many files, in the order of their names")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the run record")
    options = parser.parse_args()
    run = census(executor=options.executor, limit=options.limit).execute()
    print(run.return_value.model_dump_json(indent=2))
    if options.json is not None:
        options.json.write_text(run.flow_run.model_dump_json(), "utf-8")


if __name__ == "__main__":  # worker processes import this module, and are not to take the census again
    main()
