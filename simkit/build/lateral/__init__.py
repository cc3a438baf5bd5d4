"""Boundaries between phases side by side in the plane of shared slabs."""
