"""Campaigns: many studies from one file, as a graph of tasks whose results are kept by content."""
