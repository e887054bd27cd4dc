"""Texts of posts."""
