"""Volunteers and staff: joining, recovery, sessions, sign-in."""
