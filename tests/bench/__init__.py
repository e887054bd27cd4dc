"""Measurements, as ratios within one run on one machine. Nothing here fails for being slow."""
