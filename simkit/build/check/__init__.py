"""Checks of built and relaxed cells."""
