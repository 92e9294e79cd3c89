"""Keeping what a debugger shows apart from what the code prints that it has stopped."""

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

__all__ = ["hook_debugger", "reads_for_debugger"]


def hook_debugger(aside: Callable[[], AbstractContextManager[None]]) -> None:
    """Let `pdb`, and the debuggers that are made of it, talk to the user in an `aside()` block. Idempotent.

    Nothing is imported: a program that has not imported `pdb` is not being debugged with it.
    """
    kind: Any = getattr(sys.modules.get("pdb"), "Pdb", None)
    interaction = getattr(kind, "interaction", None)
    if interaction is None or getattr(interaction, "_flowscope_aside", None) is aside:
        return

    @functools.wraps(interaction)
    def interaction_aside(*args: Any, **kwargs: Any) -> Any:
        with aside():
            return interaction(*args, **kwargs)

    vars(interaction_aside)["_flowscope_aside"] = aside
    kind.interaction = interaction_aside


def reads_for_debugger(frame: FrameType) -> bool:
    """Whether a frame looks up `sys.stdout` as the output of a debugger that is being made."""
    if frame.f_globals.get("__name__") != "cmd":
        return False
    debugger: Any = getattr(sys.modules.get("bdb"), "Bdb", None)
    return debugger is not None and isinstance(frame.f_locals.get("self"), debugger)
