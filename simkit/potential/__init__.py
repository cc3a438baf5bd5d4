"""Potentials: structures in, energies, forces, stresses and atomic virials out."""

from simkit.potential.analytic import double_well, fcc_spring_stiffness, lennard_jones, morse, springs
from simkit.potential.base import Evaluation, Evaluations, Potential, Spread, Spreads
from simkit.potential.card import Card
from simkit.potential.committee import Committee, committee_card
from simkit.potential.counted import Cost, Counted
from simkit.potential.load import available, card_of, devices, from_ase, load, parse, save_safe, scorecard_of
from simkit.potential.sum import SumPotential
from simkit.potential.watched import Doubtful, Limits, Seen, Watched

__all__ = [
    "Card",
    "Committee",
    "Cost",
    "Counted",
    "Doubtful",
    "Evaluation",
    "Evaluations",
    "Limits",
    "Potential",
    "Seen",
    "Spread",
    "Spreads",
    "SumPotential",
    "Watched",
    "available",
    "card_of",
    "committee_card",
    "devices",
    "double_well",
    "fcc_spring_stiffness",
    "from_ase",
    "lennard_jones",
    "load",
    "morse",
    "parse",
    "save_safe",
    "scorecard_of",
    "springs",
]
