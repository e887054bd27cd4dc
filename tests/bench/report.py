"""What a measurement found: printed as it comes, in one table at the end, and as JSON for whoever compares runs."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any, Literal, TextIO


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure, the target it is held against, and what the same run gave for comparison."""

    target: str
    what: str
    value: float
    unit: str
    bound: Literal["at_least", "at_most"] | None = None
    """How the value is compared with `wanted`; absent for a figure that another machine need not reach."""
    wanted: float | None = None
    baseline: float | None = None
    baseline_is: str = ""
    """What the baseline is, in the same unit unless it says otherwise."""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; `None` without one."""
        if self.bound is None or self.wanted is None:
            return None
        return self.value >= self.wanted if self.bound == "at_least" else self.value <= self.wanted


@dataclass(frozen=True, slots=True)
class Broken:
    """A part that could not be measured, and why."""

    target: str
    why: str


def at_least(
    target: str,
    what: str,
    value: float,
    least: float,
    unit: str = "×",
    *,
    baseline: float | None = None,
    baseline_is: str = "",
) -> Finding:
    """A figure that is to be large."""
    return Finding(target, what, value, unit, "at_least", least, baseline, baseline_is)


def at_most(
    target: str,
    what: str,
    value: float,
    most: float,
    unit: str = "ms",
    *,
    baseline: float | None = None,
    baseline_is: str = "",
) -> Finding:
    """A figure that is to be small."""
    return Finding(target, what, value, unit, "at_most", most, baseline, baseline_is)


def rate(target: str, what: str, events: float, seconds: float) -> Finding:
    """A figure for the eye, which another machine need not reach."""
    return Finding(target, what, events / seconds, "/s")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def shown(value: float | None, unit: str) -> str:
    """A figure with as many digits as it is worth."""
    if value is None:
        return ""
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def row(finding: Finding) -> tuple[str, str, str, str, str, str]:
    """A finding as the columns of the table."""
    sign = {"at_least": "≥", "at_most": "≤"}
    wanted = f"{sign[finding.bound]} {finding.wanted:g} {finding.unit}" if finding.bound else ""
    baseline = shown(finding.baseline, finding.unit)
    beside = f"{baseline} {finding.baseline_is}".strip()
    verdict = {True: "met", False: "MISSED", None: ""}[finding.met]
    return finding.target, finding.what, shown(finding.value, finding.unit), beside, wanted, verdict


def show(finding: Finding | Broken, out: TextIO = sys.stdout) -> None:
    """Print one line, while the run goes on."""
    if isinstance(finding, Broken):
        print(f"{finding.target:4} could not be measured: {finding.why}", file=out, flush=True)
        return
    target, what, found, beside, wanted, verdict = row(finding)
    print(f"{target:4} {what:58} {found:>13}  {wanted:12} {verdict:7} {beside}", file=out, flush=True)


def table(findings: Sequence[Finding | Broken]) -> str:
    """Everything in one Markdown table, ready for a document."""
    lines = [
        "| # | Measured | Found | Beside it, in the same run | Target | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for finding in findings:
        cells = (
            (finding.target, f"could not be measured: {finding.why}", "", "", "", "BROKEN")
            if isinstance(finding, Broken)
            else row(finding)
        )
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def write(path: Path, machine: dict[str, Any], findings: Sequence[Finding | Broken]) -> None:
    """The machine-readable copy."""
    told = {
        "machine": machine,
        "findings": [{**asdict(one), "met": one.met} for one in findings if isinstance(one, Finding)],
        "broken": [asdict(one) for one in findings if isinstance(one, Broken)],
    }
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
