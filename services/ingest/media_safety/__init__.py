"""Decoding foreign media apart from everything, and keeping only what is presented."""
