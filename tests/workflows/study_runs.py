"""A study small enough for a test: 3 slabs, 24 atoms, the embedded potential in float64."""

import os
import subprocess
import sys

TINY = """
name = "tiny P2/O3"
seed = 3
dtype = "float64"
device = "cpu"

[structure]
repeats = [2, 1]
max_strain_percent = 4.0

[[structure.blocks]]
phase = "P2"
gaps = 2
metals = { Co = 1.0 }
content = 1.0

[[structure.blocks]]
phase = "O3"
gaps = 1
metals = { Co = 1.0 }
content = 1.0

[relax]
fmax_eV_per_A = 0.1

[migration]
images = 1
end_fmax_eV_per_A = 0.1
fmax_eV_per_A = 0.2
barrier_change_eV = 0.05
max_steps = 60

[gliding]
points = 3
letters = [1]
modes = ["rigid"]
"""

SIMKIT = [sys.executable, "-c", "from simkit.cli import main; main()"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "2"}


def simkit(*words) -> subprocess.CompletedProcess:
    """Run the command line in a process of its own."""
    command = [*SIMKIT, *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env=ENVIRONMENT, check=False)
