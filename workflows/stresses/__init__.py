"""States of stressed cells, tables by region, figures and pages: what `stress` and `stress_study` are made of."""
