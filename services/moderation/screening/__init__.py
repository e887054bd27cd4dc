"""Signals in a text, before a person reads it."""
