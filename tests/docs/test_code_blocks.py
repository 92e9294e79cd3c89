"""The documentation is true: its Python runs, prints what the page shows, and its links lead somewhere.

All Python blocks of a page run in order, in one module. A block with a file name after its language is that file: what
other processes are to import has to be in one. Blocks after it import it, or, if a `text` block follows, it is run as a
script. A `text` block directly after a Python block is what that block
prints to standard output. There, an ellipsis character stands for any text within its line, and alone on a line for any
number of lines. Times of day, timestamps, ids and measured seconds differ from run to run, and match any other. Test
functions that a page defines run as well, with the pytest fixtures that they name.
"""

import ast
import contextlib
import inspect
import io
import logging
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

import pytest

from flowscope import flow_events

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TOUR: Final = sorted(ROOT.glob("tests/tour/test_*.py"))

FENCED: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?P<file>[^\n]*)\n(?P<text>.*?)^(?P=indent)```[ ]*$", re.M | re.S
)
LINK: Final = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING: Final = re.compile(r"^#+ +(?P<text>.+?) *$", re.M)
VARYING: Final = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "<timestamp>"),
    (re.compile(r"\b\d\d:\d\d:\d\d\.\d{3}\b"), "<time of day>"),
    (re.compile(r"\b(flow|task|event)-[0-9a-f]{16}\b"), r"\1-<id>"),
    (re.compile(r'((?:duration|total|min|max|mean)"?[:=] ?)\d[\d.e-]*'), r"\1<seconds>"),
)


class Block(NamedTuple):
    """One fenced block of a page."""

    language: str
    line: int
    """The number of its first line in the page."""
    text: str
    shown: str | None
    """What the page says it prints."""
    file: str = ""
    """The name of the file that it is."""


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page; those of expected output go with the Python block before them."""
    blocks: list[Block] = []
    end = 0
    for found in FENCED.finditer(page):
        text = textwrap.dedent(found["text"])
        directly_after = not page[end : found.start()].strip()
        if found["language"] == "text" and blocks and blocks[-1].language == "python" and directly_after:
            blocks[-1] = blocks[-1]._replace(shown=text)
        line = page.count("\n", 0, found.start()) + 2
        blocks.append(Block(found["language"], line, text, None, found["file"].strip()))
        end = found.end()
    return blocks


def python_blocks_of(page: Path) -> list[Block]:
    """The blocks of a page that run."""
    return [block for block in blocks_of(page.read_text(encoding="utf-8")) if block.language == "python"]


def name_of(path: Path) -> str:
    """The path as test ids show it."""
    return path.relative_to(ROOT).as_posix()


def settled(output: str) -> str:
    """The output with everything that differs from run to run replaced, and without trailing blanks."""
    for pattern, name in VARYING:
        output = pattern.sub(name, output)
    return "\n".join(line.rstrip() for line in output.strip("\n").splitlines()) + "\n"


def matches(printed: str, shown: str) -> bool:
    """Whether what was printed is what the page shows."""
    parts = [
        r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.split("…"))) + r"\n"
        for line in settled(shown).splitlines()
    ]
    return re.fullmatch("".join(parts), settled(printed)) is not None


def slug_of(heading: str) -> str:
    """The anchor of a heading, by GitHub's rule."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def run(block: Block, page: Path, module: ModuleType) -> str:
    """Run a block in its page's module, and return what it prints; tracebacks show the page's own lines."""
    printed = io.StringIO()
    code = compile("\n" * (block.line - 1) + block.text, str(page), "exec", dont_inherit=True)
    with contextlib.redirect_stdout(printed):
        exec(code, vars(module))
    return printed.getvalue()


def run_file(block: Block, directory: Path) -> str:
    """Write a block that is a file; if the page shows what it prints, run it as a script, and return that."""
    file = directory / block.file
    file.write_text(block.text, encoding="utf-8")
    if block.shown is None:
        return ""
    ended = subprocess.run(
        [sys.executable, file.name], cwd=directory, capture_output=True, encoding="utf-8", check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a page's files are: the current directory, from which modules are imported, and forgotten again."""
    known = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name in {file.stem for file in tmp_path.glob("*.py")} - known:
        sys.modules.pop(name, None)


@pytest.fixture
def same_process() -> Iterator[None]:
    """A page leaves the loggers and the bus of the process as it found them."""
    known = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    loggers = [(logger, logger.level, logger.handlers[:]) for logger in (logging.root, *known)]
    listeners = flow_events.event_listeners[:]
    yield
    for logger, level, handlers in loggers:
        logger.setLevel(level)
        logger.handlers[:] = handlers
    flow_events.event_listeners[:] = listeners


@pytest.mark.usefixtures("same_process")
@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks_of(page)], ids=name_of)
def test_python_blocks_run_and_print_what_the_page_shows(
    page: Path, directory: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The Python blocks of a page run in order, in one module, and print what the page shows."""
    module = ModuleType("page_" + re.sub(r"\W", "_", name_of(page)))
    module.__file__ = str(page)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in python_blocks_of(page):
        printed = run_file(block, directory) if block.file else run(block, page, module)
        if block.shown is not None and not matches(printed, block.shown):
            pytest.fail(f"{name_of(page)}:{block.line} printed:\n{printed}\nbut shows:\n{block.shown}")
    for name, function in list(vars(module).items()):
        if name.startswith("test_"):
            function(
                **{fixture: request.getfixturevalue(fixture) for fixture in inspect.signature(function).parameters}
            )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file, and every anchor to a heading, of this project."""
    prose = re.sub(r"`[^`\n]*`", "", FENCED.sub("", page.read_text(encoding="utf-8")))
    broken = [link["target"] for link in LINK.finditer(prose) if not leads_somewhere(page, link["target"])]
    assert broken == []


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether a link's target exists; addresses of the web are taken on trust."""
    if re.match(r"[a-z]+:", target):
        return True
    file, _, anchor = target.partition("#")
    path = (page.parent / file).resolve() if file else page
    if not path.exists() or not path.is_relative_to(ROOT):
        return False
    if not anchor:
        return True
    text = FENCED.sub("", path.read_text(encoding="utf-8"))
    return anchor in {slug_of(heading["text"]) for heading in HEADING.finditer(text)}


def test_every_page_is_linked_from_the_index() -> None:
    """A reader who starts at `docs/index.md` and follows links finds every page of the documentation."""
    index = ROOT / "docs" / "index.md"
    found, queue = {index}, [index]
    for page in queue:
        prose = FENCED.sub("", page.read_text(encoding="utf-8"))
        targets = (link["target"].partition("#")[0] for link in LINK.finditer(prose))
        linked = {(page.parent / target).resolve() for target in targets if target.endswith(".md")}
        queue += sorted(linked & set(PAGES) - found)
        found |= linked
    assert [name_of(page) for page in PAGES if page.is_relative_to(ROOT / "docs") and page not in found] == []


def bodies_of(module: Path) -> Iterator[tuple[str, str]]:
    """The name and the body, without the docstring, of each test of a module."""
    source = module.read_text(encoding="utf-8")
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            body = "\n".join(lines[node.body[0].end_lineno : node.end_lineno])
            yield node.name, textwrap.dedent(body).strip()


@pytest.mark.parametrize("module", TOUR, ids=name_of)
def test_the_tutorial_shows_the_tour(module: Path) -> None:
    """Each test of the tour stands, word for word, on the tutorial page of the same name."""
    page = ROOT / "docs" / "tutorial" / (module.stem.removeprefix("test_").replace("_", "-") + ".md")
    shown = {re.sub(r" +# (type|pyright): .*", "", block.text).strip() for block in python_blocks_of(page)}
    bodies = {name: re.sub(r" +# (type|pyright): .*", "", body) for name, body in bodies_of(module)}
    assert [name for name, body in bodies.items() if body not in shown] == []
    for block in python_blocks_of(page):
        assert not block.file or block.text == (module.parent / block.file).read_text(encoding="utf-8")


def test_expected_output_is_compared() -> None:
    """The rules for comparing output forgive what varies and nothing else."""
    assert matches("12:30:00.123 | INFO     | hi\n", "07:00:00.000 | INFO     | hi\n")
    assert not matches("12:30:00.123 | INFO     | hi\n", "07:00:00.000 | INFO     | ho\n")
    assert matches("task-00000000000000ff-3 duration=0.001\n", "task-1234567890abcdef-3 duration=2e-05\n")
    assert not matches("task-00000000000000ff-3\n", "task-1234567890abcdef-4\n")
    assert matches("a\nb\nc\nd\n", "a\n…\nd\n")
    assert not matches("a\nb\nc\nd\n", "a\n…\nc\n")
    assert matches("took 3 ms\n", "took … ms\n")
    assert not matches("took 3 ms\nmore\n", "took … ms\n")
    assert not matches("", "something\n")


def test_blocks_are_found_with_their_output() -> None:
    """A `text` block belongs to the Python block that it directly follows, also inside a list."""
    page = "# t\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\n* item\n\n  ```python\n  x = 1\n  ```\n\nProse.\n\n```text\n2\n```\n"
    first, _, second, _ = blocks_of(page)
    assert first == Block("python", 4, "print(1)\n", "1\n")
    assert second == Block("python", 14, "x = 1\n", None)


def test_a_block_may_be_a_file() -> None:
    """A word after the language is the name of the file that the block is."""
    script, _, plain = blocks_of("```python work.py\nprint(1)\n```\n\n```text\n1\n```\n\n```python\nimport work\n```\n")
    assert script == Block("python", 2, "print(1)\n", "1\n", "work.py")
    assert plain.file == ""
