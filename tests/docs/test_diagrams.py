"""The pictures of the explanation show what the code imports now."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    """The script that draws them."""
    spec = importlib.util.spec_from_file_location("draw", PICTURES / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["draw"] = module
    spec.loader.exec_module(module)
    return module


def test_the_pictures_are_those_of_the_code(draw: ModuleType) -> None:
    """`python docs/pictures/draw.py` would change no picture."""
    drawn: dict[str, str] = draw.pictures()
    kept = {path.name: path.read_text("utf-8") for path in PICTURES.glob("*.svg")}
    assert kept == drawn
