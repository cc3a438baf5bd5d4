"""One intergrowth, atom for atom: its numbers, and its positions to 1e-6 A, never change unnoticed."""

import hashlib

import numpy as np

from simkit import build

NUMBERS = "937d8ac893a984479459ef53065dcfbd1d4e85cdb53c6a8375c0cddf3eadc5ca"
POSITIONS = "82207a60933304dc46d2ba5fb378cc50366a72c4229ce4931222b3dd45daaa3d"


def digest(values):
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def test_the_p2_o3_cell_of_cobalt_is_what_it_was():
    blocks = [
        build.Block("P2", 2, metals={"Co": 1.0}, content=0.6667),
        build.Block("O3", 3, metals={"Co": 1.0}),
    ]
    structure = build.intergrowth(blocks, (3, 3)).structure
    # whole micro-angstroms: rounding leaves neither -0.0 nor a last bit that another machine sums otherwise
    steps = structure.positions * 1e6
    assert np.abs(np.abs(steps - np.floor(steps)) - 0.5).min() > 1e-5  # no position sits on the edge of rounding
    assert digest(structure.numbers.astype("<i8")) == NUMBERS
    assert digest(np.rint(steps).astype("<i8")) == POSITIONS
