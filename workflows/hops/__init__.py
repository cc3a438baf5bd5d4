"""Hops of ions as a step of a study: which ones, their shared ends, their bands, what each says, their network."""
