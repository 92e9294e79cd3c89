"""Keeping what a debugger shows apart from what the code prints that it has stopped."""

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

__all__ = ["hook_debugger", "reads_for_debugger"]


def hook_debugger(bypass: Callable[[], AbstractContextManager[None]]) -> None:
    """Let `pdb`, and the debuggers that are made of it, talk to the user in a `bypass()` block. Idempotent.

    Nothing is imported: a program that has not imported `pdb` is not being debugged with it.
    """
    kind: Any = getattr(sys.modules.get("pdb"), "Pdb", None)
    interaction = getattr(kind, "interaction", None)
    if interaction is None or getattr(interaction, "_flowscope_bypass", None) is bypass:
        return

    @functools.wraps(interaction)
    def interaction_past_flow(*args: Any, **kwargs: Any) -> Any:
        with bypass():
            return interaction(*args, **kwargs)

    vars(interaction_past_flow)["_flowscope_bypass"] = bypass
    kind.interaction = interaction_past_flow


def reads_for_debugger(frame: FrameType) -> bool:
    """Whether a frame looks up `sys.stdout` as the output of a debugger that is being made."""
    if frame.f_globals.get("__name__") != "cmd":
        return False
    debugger: Any = getattr(sys.modules.get("bdb"), "Bdb", None)
    return debugger is not None and isinstance(frame.f_locals.get("self"), debugger)
