"""Tasks below `@classmethod` and `@staticmethod`: called, submitted and mapped, in every place."""

from typing import Any

import pytest

from flowscope import Flow, map_tasks, submit, use_executor
from support.executors.methods import Kiosk, Shop
from support.executors.task_forms import PLACES


@PLACES
@pytest.mark.parametrize("name", ["label", "label_async", "label_checked"])
@pytest.mark.parametrize("owner", [Shop, Kiosk, Kiosk()], ids=["class", "subclass", "instance"])
async def test_a_class_method_is_submitted_with_its_class(place: Any, name: str, owner: Any) -> None:
    """It gets the class that it was taken from, a subclass too, and is recorded without it."""
    async with Flow[None]() as made:
        with use_executor(place):
            assert await submit(getattr(owner, name), 7) == f"{owner.name} 7"
    assert [t.input_args for t in made.flow_run.tasks] == [[7]]


@PLACES
def test_class_and_static_methods_are_called_and_mapped(place: Any) -> None:
    """A direct call, `submit` and `map_tasks` give the same values; a field default arrives where it is left out."""
    with Flow[None](), use_executor(place):
        assert Shop.label(1) == submit(Shop.label, 1).result() == "shop 1"
        assert Shop.plain(1) == submit(Shop.plain, 1).result() == submit(Kiosk.plain, 1).result() == "plain 1"
        assert list(map_tasks(Kiosk.label, range(3))) == ["kiosk 0", "kiosk 1", "kiosk 2"]
        assert list(map_tasks(Kiosk.plain, range(3)).as_completed()) != []
        assert Shop.label_checked() == submit(Shop.label_checked).result() == "shop 0"
