"""Proof that no decision was rewritten."""
