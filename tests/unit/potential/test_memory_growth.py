"""Memory of an evaluation is a line in its edges: the peak of a process of its own, read from the system."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")


@pytest.fixture(scope="module")
def memory():
    """The benchmark that prints the fit."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("memory_benchmark", BENCHMARKS / "memory.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_the_line_tells_growth_by_the_square_from_growth_by_edges(memory):
    edges = [10_000, 20_000, 40_000, 80_000]
    straight = memory.line([(n, 5e5 + 400.0 * n) for n in edges])
    assert straight[:3] == pytest.approx((5e5, 400.0, 0.0), abs=1e-3)
    square = memory.line([(n, 0.05 * n**2) for n in edges])
    assert square[2] > 0.3
    assert square[3] == pytest.approx(2.0)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["fused", "torch", "device"])
def test_memory_grows_linearly_with_edges(memory, path):
    found = memory.apart(path, torch.device("cpu"))
    _, slope, off, exponent = memory.line(found)
    assert found[-1][0] > 6 * found[0][0]
    assert slope > 0
    assert off < 0.05, "one point in twenty of a line: blocks of the allocator and padding of edges"
    assert exponent < 1.05
