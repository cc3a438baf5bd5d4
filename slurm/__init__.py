"""Cluster side: how a study is handed to SLURM."""
