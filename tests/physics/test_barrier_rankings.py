"""Rankings of sodium barriers that experiment and DFT agree on, with the potentials that are shipped."""

import pytest

from simkit import build, potential
from simkit.workflows import migration, relax
from simkit.workflows.hops.tables import barrier_of

COBALT = {"Co": 1.0}
ROUGHLY = {"barrier_change_eV": 0.01, "barrier_error_eV": 0.02, "fmax_eV_per_A": 0.1}
"""The barriers compared lie 0.2 eV apart; forces of CHGNet jump by some 0.05 eV/A along a path."""


def barriers(model, phase, gaps, content, mechanisms):
    """Lowest barrier of each mechanism of one phase of NaxCoO2, counted from the deepest state on the way, eV."""
    built = build.bulk(build.Block(phase, gaps, metals=COBALT, content=content), repeats=(3, 3)).structure
    cell = relax.run(relax.Config(cell="free", fmax_eV_per_A=0.05), model, built).outcomes["structure"].structure
    settings = migration.Config(
        hops="distinct", mechanisms=mechanisms, number=len(mechanisms), images=3, network=False, **ROUGHLY
    )
    found = migration.run(settings, model, {phase: cell}).hops
    assert all(hop.converged for hop in found), [hop.status for hop in found]
    return {m: min(barrier_of(hop) for hop in found if hop.hop.mechanism == m) for m in mechanisms}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["simkit:nalox", "chgnet+d3"])
def test_divacancies_pass_below_monovacancies_and_prisms_below_octahedra(name):
    """Divacancies below monovacancies in O3 by about a factor of three; P2 below the monovacancy of O3."""
    model = potential.load(name, device="cpu")
    o3 = barriers(model, "O3", 1, 1.0, ["vacancy", "divacancy"])
    p2 = barriers(model, "P2", 2, 0.8889, ["vacancy"])
    assert o3["divacancy"] < 0.6 * o3["vacancy"], o3  # a factor of three in O3 between them is known
    assert p2["vacancy"] < o3["vacancy"], (p2, o3)
