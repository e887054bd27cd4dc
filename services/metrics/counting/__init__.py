"""Reach events, each counted exactly once."""
