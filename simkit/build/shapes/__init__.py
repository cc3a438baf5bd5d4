"""Domains, particles and twins."""
