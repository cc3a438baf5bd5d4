"""The report: one self-contained HTML page from a run directory."""

from simkit.report.campaign import render_campaign
from simkit.report.page import SCHEMA, render, write_report

__all__ = ["SCHEMA", "render", "render_campaign", "write_report"]
