"""Figures for people: totals, breakdowns, charts."""
