"""The work in Hamilton."""

import sys
from collections.abc import Callable
from importlib import import_module
from inspect import Parameter, Signature
from time import perf_counter_ns
from typing import Any, ClassVar

from .peer import GraphPeer

__all__ = ["Hamilton"]

FRAMES = 20
"""Hamilton asks for the value of each node in a call of its own, inside that for the node before."""


class Hamilton(GraphPeer):
    """Hamilton, whose nodes are functions that name the nodes before them as parameters."""

    jobs: ClassVar = 5

    def __init__(self) -> None:
        self._driver: Any = import_module("hamilton.driver")
        self._modules: Any = import_module("hamilton.ad_hoc_utils")

    def chain(self, size: int, jobs: int) -> float:
        parents = ["value", *(f"r{number}" for number in range(size - 1))]
        return self._executed(parents, [f"r{size - 1}"], jobs)

    def fan_out(self, size: int, jobs: int) -> float:
        parents = ["value", *("r0" for _ in range(size - 1))]
        return self._executed(parents, [f"r{number}" for number in range(size)], jobs)

    def _executed(self, parents: list[str], wanted: list[str], jobs: int) -> float:
        nodes = [_node(f"r{number}", parent) for number, parent in enumerate(parents)]
        built = self._driver.Builder().with_modules(self._modules.create_temporary_module(*nodes)).build()
        sys.setrecursionlimit(max(sys.getrecursionlimit(), FRAMES * len(parents)))
        began = perf_counter_ns()
        for _ in range(jobs):
            assert built.execute(wanted, inputs={"value": 1})[wanted[-1]] == 1
        return (perf_counter_ns() - began) / (jobs * len(parents))


def _node(name: str, parent: str) -> Callable[..., int]:
    """A function that hands on the value of one other node."""

    def step(**values: int) -> int:
        return values[parent]

    step.__name__ = step.__qualname__ = name
    step.__annotations__ = {parent: int, "return": int}
    signed: Any = step
    signed.__signature__ = Signature(
        [Parameter(parent, Parameter.POSITIONAL_OR_KEYWORD, annotation=int)], return_annotation=int
    )
    return step
