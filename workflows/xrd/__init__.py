"""Powder patterns over the ion content and the temperature, as operando diffraction draws them."""

from simkit.workflows.xrd.page import figures, lines, page, write
from simkit.workflows.xrd.run import Config, Point, Result, run

__all__ = ["Config", "Point", "Result", "figures", "lines", "page", "run", "write"]
