"""Doing what a delivery's state asks for: leases, rate limits, calls."""
