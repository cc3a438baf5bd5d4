"""Lets the GPU tests use the helpers of tests/unit/potential."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "potential"))
