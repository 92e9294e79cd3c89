"""Every name that can be imported of the package has a type that no type checker has to infer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_all_public_types_are_complete() -> None:
    """`pyright --verifytypes` finds nothing that is unknown or ambiguous: 100 %."""
    command = [sys.executable, "-m", "pyright", "--verifytypes", "flowscope", "--ignoreexternal", "--outputjson"]
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    report = json.loads(done.stdout)["typeCompleteness"]
    unknown = [
        f"{symbol['name']}: {problem['message']}"
        for symbol in report["symbols"]
        for problem in symbol["diagnostics"]
        if problem["severity"] == "error"
    ]
    assert unknown == []
    assert report["completenessScore"] == 1
    assert report["exportedSymbolCounts"]["withKnownType"] > 1_000
