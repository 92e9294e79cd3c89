"""What import-linter cannot say: inner modules import from the defining module, never from the facade."""

import ast
from pathlib import Path

import flowscope

PACKAGE = Path(flowscope.__file__).parent
OUTER = {"cli", "integrations"}
"""They use public names."""
INNER = [path for path in sorted(PACKAGE.rglob("*.py")) if OUTER.isdisjoint(path.relative_to(PACKAGE).parts)]


def test_nothing_inside_imports_the_facade() -> None:
    """No module of the engine or the model imports `flowscope` itself."""
    for path in INNER:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert all(name.name.partition(".")[0] != "flowscope" for name in node.names), path
            elif isinstance(node, ast.ImportFrom):
                up = len(path.relative_to(PACKAGE).parts)
                assert node.level or (node.module or "").partition(".")[0] != "flowscope", path
                assert not (node.level == up and node.module is None), path


def test_modules_are_short() -> None:
    """No module has passed 400 lines: it is split by idea before that."""
    assert [path.name for path in INNER if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []


def test_packages_are_small() -> None:
    """No package has more than twelve modules of its own: it has sub-packages before that."""
    packages = {path.parent for path in PACKAGE.rglob("*.py")}
    sizes = {package.name: sum(path.name != "__init__.py" for path in package.glob("*.py")) for package in packages}
    assert {name: size for name, size in sizes.items() if size > 12} == {}
