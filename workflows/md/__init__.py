"""Molecular dynamics on disk: many systems in one batch, taken up after any interruption, extended at will."""

from simkit.workflows.md.config import Config, Storage
from simkit.workflows.md.facts import MdFacts
from simkit.workflows.md.run import STATE, TRAJECTORIES, Result, simulate
from simkit.workflows.md.systems import System, key_of, systems

__all__ = ["STATE", "TRAJECTORIES", "Config", "MdFacts", "Result", "Storage", "System", "key_of", "simulate", "systems"]
