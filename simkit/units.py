"""Units: inside simkit eV, angstrom, amu, kelvin; conversions happen at the edge (CODATA 2018)."""

from __future__ import annotations

import math

EV_J = 1.602176634e-19
AMU_KG = 1.66053906660e-27
BOLTZMANN_EV_PER_K = 8.617333262e-5

EV_PER_A3_IN_GPA = EV_J * 1e21
"""1 eV/A^3 in GPa."""
EV_PER_A2_IN_J_PER_M2 = EV_J * 1e20
"""1 eV/A^2 in J/m^2."""
FEMTOSECOND = 1e-15 * math.sqrt(EV_J / AMU_KG) * 1e10
"""1 fs in the internal time unit A sqrt(amu/eV)."""
BOHR_A = 0.529177210903
HARTREE_EV = 27.211386245988
