"""The reporting pipeline does what its page says, run as a user runs it."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

SCRIPT: Final = Path(__file__).parents[2] / "docs" / "examples" / "reporting.py"

WITHOUT_RATES: Final = """\
Ada (EUR)      120.00
Ada (USD)       30.00
Grace (USD)     80.00

orders   completed
clean    completed
rates    failed: the exchange rate service is down
totals   completed
report   completed

4 of 5 flows completed
"""
WITH_RATES: Final = """\
Ada (EUR)      135.00
Grace (EUR)     40.00

orders   completed
clean    completed
rates    completed
totals   completed
report   completed

5 of 5 flows completed
"""


@pytest.mark.parametrize(("options", "expected"), [([], WITHOUT_RATES), (["--rates-up"], WITH_RATES)])
def test_the_report_is_made_with_and_without_the_optional_flow(options: list[str], expected: str) -> None:
    """Where the optional flow fails the others complete, and the report says what there is."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), *options], capture_output=True, encoding="utf-8", check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    text, _, chart = ended.stdout.partition("\nflowchart TD\n")
    assert text == expected
    assert chart.count(" -.->") == 2
    assert chart.count(" -->") == 3
    assert ("]:::failed" in chart) == (not options)
