"""Ratios of the performance targets, each within one run on one machine. Reports; asserts no duration."""
