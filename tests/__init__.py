"""Tests mirror the source; see CONTRIBUTING.md for the layers."""
