"""A census of Python's standard library, taken from its own source files: what it imports, what it defines.

    flowscope run docs/examples/stdlib_census.py:census
    flowscope run docs/examples/stdlib_census.py:census --param limit=200 --json census.json
    flowscope run docs/examples/stdlib_census.py:census --param 'skip=["test", "tests", "site-packages"]'

A few of the files are test data that no parser accepts, such as `test/tokenizedata/badsyntax_3131.py`. They become
failed tasks, and the census goes on. (A Python that comes without the tests of its library has no such files.)
"""

import ast
import asyncio
import os
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field

from flowscope import INJECTED, Flow, flow, task

Positive = Annotated[int, Field(gt=0)]


class Module(NamedTuple):
    """What one source file holds; its imports are top-level names, sorted."""

    path: str
    lines: int
    functions: int
    classes: int
    imports: list[str]


class Census(BaseModel):
    """The sums over all files that could be parsed."""

    files: int
    broken: int
    lines: int
    functions: int
    classes: int


@task
def discover(root: Path, skip: frozenset[str], limit: int | None) -> list[Path]:
    """The source files below `root`, outside folders with a name in `skip`."""
    found: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in skip]
        found.extend(Path(folder, name) for name in files if name.endswith(".py"))
    return sorted(found)[:limit]


@task(raise_on_error=False)
async def examine(path: Path) -> Module:
    """Read and parse one file, in a thread, so that the event loop goes on; a file that does not parse gives None."""
    return await asyncio.to_thread(parse, path)


@task
def rank(imports: list[list[str]], top: int) -> dict[str, int]:
    """The modules that most files import, each with the number of those files."""
    return dict(Counter(name for names in imports for name in names).most_common(top))


@flow
async def census(
    *,
    root: Path | None = None,
    limit: Positive | None = None,
    skip: frozenset[str] = frozenset({"site-packages", "dist-packages"}),
    at_once: Positive = 8,
    top: Positive = 20,
    this_flow: Flow[Census] = INJECTED,
) -> Census:
    """Count what the source files below `root` define and import; None is the standard library of this Python."""
    paths = discover(root or Path(sysconfig.get_paths()["stdlib"]), skip, limit)
    places = asyncio.Semaphore(at_once)

    async def in_turn(path: Path) -> Module | None:
        async with places:
            return await examine(path)

    modules = [module for module in await asyncio.gather(*map(in_turn, paths)) if module is not None]
    table = rank([module.imports for module in modules], top)
    this_flow.add_flow_artifact("the modules that most files import", "imports", table, "table")
    this_flow.add_flow_result("broken", "files that do not parse", len(paths) - len(modules))
    return Census(
        files=len(paths),
        broken=len(paths) - len(modules),
        lines=sum(module.lines for module in modules),
        functions=sum(module.functions for module in modules),
        classes=sum(module.classes for module in modules),
    )


def parse(path: Path) -> Module:
    source = path.read_bytes()
    kinds: Counter[type] = Counter()
    imports: set[str] = set()
    for statement in statements(ast.parse(source, filename=path)):
        kinds[type(statement)] += 1
        imports.update(imported(statement))
    functions = kinds[ast.FunctionDef] + kinds[ast.AsyncFunctionDef]
    return Module(str(path), source.count(b"\n"), functions, kinds[ast.ClassDef], sorted(imports))


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
