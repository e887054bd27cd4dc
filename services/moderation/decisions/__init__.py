"""Decisions and recalls on claimed cases."""
