"""A simkit potential as an ASE calculator, and ASE's own bands to hold ours against."""

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.mep import NEB
from ase.optimize import FIRE

from simkit import io


class Ours(Calculator):
    """Energy and forces of a simkit potential; counts how often it is asked."""

    implemented_properties = ("energy", "forces")

    def __init__(self, potential):
        super().__init__()
        self.potential, self.calls = potential, 0

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        said = self.potential.evaluate([io.from_ase(atoms)])[0]
        self.results = {"energy": said.energy, "forces": said.forces}


def barrier_by_ase(path, potential, fmax=0.02, steps=100):
    """Forward barrier of ASE's climbing improved-tangent band between the ends of a path, from a straight line kinked
    as the path is at its middle (None where it does not converge), and the evaluations it took."""
    images = [io.to_ase(path.images[0]) for _ in path.images[:-1]] + [io.to_ase(path.images[-1])]
    ends = path.images[0].positions, path.images[-1].positions
    middle = len(images) // 2
    for k, image in enumerate(images):
        image.calc = Ours(potential)
        share = k / (len(images) - 1)
        straight = ends[0] + share * (ends[1] - ends[0])
        bow = path.images[middle].positions - 0.5 * (ends[0] + ends[1])
        image.positions = straight + np.sin(np.pi * share) * bow
    band = NEB(images, k=5.0, climb=False, method="improvedtangent", allow_shared_calculator=False)
    # BFGS would diagonalise a matrix of all coordinates of all images at every step
    FIRE(band, logfile=None).run(fmax=0.3, steps=steps)
    band.climb = True
    converged = FIRE(band, logfile=None).run(fmax=fmax, steps=steps)
    energies = [image.get_potential_energy() for image in images]
    asked = sum(image.calc.calls for image in images[1:-1])
    return (max(energies) - energies[0] if converged else None), asked
