"""What a measurement found, and how it is printed."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure beside its target. `met` is None where there is no target to compare with."""

    target: str
    what: str
    found: str
    wanted: str = ""
    met: bool | None = None


def at_least(target: str, what: str, value: float, least: float, unit: str = "×") -> Finding:
    """A figure that is to be large."""
    return Finding(target, what, f"{value:.2f} {unit}", f"≥ {least:g} {unit}", value >= least)


def at_most(target: str, what: str, value: float, most: float, unit: str = "ms") -> Finding:
    """A figure that is to be small."""
    return Finding(target, what, f"{value:.1f} {unit}", f"≤ {most:g} {unit}", value <= most)


def rate(target: str, what: str, events: int, seconds: float) -> Finding:
    """A figure for the eye, which another machine need not reach."""
    return Finding(target, what, f"{events / seconds:,.0f} /s")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def show(finding: Finding, out: TextIO = sys.stdout) -> None:
    """Print one line."""
    sign = {True: "met", False: "MISSED", None: ""}[finding.met]
    print(
        f"{finding.target:4}{finding.what:62}{finding.found:>16}  {finding.wanted:12}{sign}",
        file=out,
        flush=True,
    )
