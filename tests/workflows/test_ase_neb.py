"""Hops of O3, of P2 and of both grown together against ASE's climbing bands between the same ends."""

import pytest
from ase_bands import barrier_by_ase
from ionic import ionic

from simkit import build, potential
from simkit.workflows import migration, relax

COBALT = {"Co": 1.0}
SAME_EV = 3e-3
"""Both saddles are found to 0.02 eV/A; images, springs, tangents and ends are the same."""
BLOCKS = {
    "O3": [build.Block("O3", 3, metals=COBALT)],
    "P2": [build.Block("P2", 2, metals=COBALT, content=0.6667)],
    "P2|O3": [build.Block("P2", 2, metals=COBALT, content=0.6667), build.Block("O3", 3, metals=COBALT)],
}


def hops_of(name, model, **words):
    """Hops that converge in one of the cells, relaxed with the same model."""
    blocks = BLOCKS[name]
    built = build.bulk(blocks[0], repeats=(3, 3)) if len(blocks) == 1 else build.intergrowth(blocks, repeats=(3, 3))
    cell = relax.run(relax.Config(cell="free", fmax_eV_per_A=0.01), model, built.structure).outcomes["structure"]
    settings = migration.Config(
        images=5, hops="distinct", fmax_eV_per_A=0.02, barrier_change_eV=0.001, refine=False, network=False, **words
    )
    hops = migration.run(settings, model, {name: cell.structure}).hops
    return [hop for hop in hops if hop.converged]


def compared(hops, model, **how):
    """Ours minus ASE's barrier and evaluations per image of both, of the hops on which ASE's band settles."""
    found = {}
    for hop in hops:
        theirs, asked = barrier_by_ase(hop.path, model, **how)
        if theirs is not None:
            images = len(hop.path.images) - 2
            key = f"{hop.hop.phase} {hop.hop.mechanism} {hop.sites}"
            found[key] = (hop.path.barrier_eV - theirs, hop.path.evaluations / images, asked / images)
    return found


def require_same(found, keys):
    assert set(found) >= set(keys), found
    assert {key: off for key, (off, _, _) in found.items()} == pytest.approx(dict.fromkeys(found, 0.0), abs=SAME_EV)


@pytest.mark.parametrize(
    ("phase", "mechanisms", "kinds"),
    [
        ("O3", ["vacancy", "divacancy"], ["O3 vacancy oct-oct", "O3 divacancy oct-oct"]),
        ("P2", ["vacancy"], ["P2 vacancy Na_e-Na_e", "P2 vacancy Na_e-Na_f", "P2 vacancy Na_f-Na_f"]),
    ],
)
def test_phases_alone_against_ases_neb(phase, mechanisms, kinds):
    hops = hops_of(phase, ionic(), mechanisms=mechanisms, number=len(kinds))
    found = compared(hops, ionic())
    require_same(found, kinds)
    # although ASE's bands start from the shape of our converged ones
    assert all(ours < theirs for _, ours, theirs in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "mechanisms", "number", "kinds"),
    [
        ("O3", ["vacancy", "divacancy"], 2, ["O3 vacancy oct-oct", "O3 divacancy oct-oct"]),
        ("P2", ["vacancy"], 1, ["P2 vacancy Na_e-Na_e"]),
        # P2 Na_e-Na_f is a path of 9 A on which other ions change their sites; on Na_e-Na_e ASE's band does not settle:
        # other sodium leaves its shelves on the way
        ("P2|O3", ["vacancy"], 4, ["O3 vacancy oct-oct", "P2 vacancy Na_f-Na_f"]),
    ],
)
def test_a_shipped_model_against_ases_neb(cell, mechanisms, number, kinds):
    model = potential.load("simkit:nalox", device="cpu", dtype="float64")
    # at 0.02 eV/A ASE's band of the divacancy is 3 meV above where it is at 0.005, ours 0.6 below that
    hops = hops_of(cell, model, mechanisms=mechanisms, number=number)
    require_same(compared(hops, model, fmax=0.01, steps=300), kinds)
