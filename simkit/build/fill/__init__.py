"""Who sits where: counts, arrangements, ion order."""
