"""The report: one self-contained HTML page from a run directory."""

from simkit.report.page import SCHEMA, render, write_report

__all__ = ["SCHEMA", "render", "write_report"]
