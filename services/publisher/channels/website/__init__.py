"""The campaign's own website."""
