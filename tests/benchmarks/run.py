"""Print what flowscope costs: `python tests/benchmarks/run.py`, from anywhere.

Options choose what is measured and how thoroughly: `--help` tells. A missed budget is told in the table and is no error;
a row that cannot be measured is one.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.command import main

if __name__ == "__main__":
    sys.exit(main())
