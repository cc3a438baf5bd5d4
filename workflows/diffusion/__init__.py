"""Diffusion of ions and the fate of the structure, from molecular dynamics at a ladder of temperatures."""

from simkit.workflows.diffusion.analyse import analyse
from simkit.workflows.diffusion.config import Config, Evolution, Transport
from simkit.workflows.diffusion.findings import Findings
from simkit.workflows.diffusion.run import Result, extend, lengthen, run, stored

__all__ = ["Config", "Evolution", "Findings", "Result", "Transport", "analyse", "extend", "lengthen", "run", "stored"]
