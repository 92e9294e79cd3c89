"""The conditions that the figures hold under."""

import gc
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .figures import Effort

__all__ = ["conditions", "installed"]


def installed(package: str) -> str | None:
    """The version of an installed package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def conditions(effort: Effort) -> dict[str, str]:
    """The interpreter, the machine, the packages, and how much was measured."""
    rounds = "round" if effort.rounds == 1 else "rounds"
    return {
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "flowscope": installed("flowscope") or "from the source tree",
        "pydantic": installed("pydantic") or "unknown",
        "garbage": "collected as for users" if gc.isenabled() else "collected between the rounds only",
        "effort": f"{effort.name}: sizes x {effort.size:g}, {effort.rounds} {rounds}",
    }


def _processor() -> str:
    """The name of the processor, where the system tells."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
