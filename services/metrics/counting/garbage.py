"""How often Python looks for garbage in cycles in a process that counts."""

import gc
from typing import Final

THRESHOLDS: Final = (100_000, 20, 50)
"""Allocations before the youngest values are looked through, and how many such looks before older ones are."""


def collect_rarely() -> None:
    """Counting makes millions of small values without cycles, which go by themselves.

    The stock thresholds look through everything that is alive every few thousand of them: half the time of counting.
    """
    gc.set_threshold(*THRESHOLDS)
