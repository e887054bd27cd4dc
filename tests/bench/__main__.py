"""`python -m tests.bench [P4 P6 …]`: measure the performance targets here and now. Exit code 0 whatever is found."""

import asyncio
import logging
import platform
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from os import cpu_count, getloadavg

import structlog
import uvloop

from tests.bench.counting import p4, p6
from tests.bench.flow import p1, p2, p3, p7
from tests.bench.report import Finding, show

MEASUREMENTS: Mapping[str, Callable[[], AsyncIterator[Finding]]] = {
    "P1": p1,
    "P2": p2,
    "P3": p3,
    "P4": p4,
    "P6": p6,
    "P7": p7,
}


async def measure(wanted: Sequence[str]) -> None:
    """Run the measurements one after the other, so that none disturbs another."""
    for name in wanted:
        async for finding in MEASUREMENTS[name]():
            show(finding)


def main() -> int:
    """Measure what is named, or all."""
    wanted = [name.upper() for name in sys.argv[1:]] or list(MEASUREMENTS)
    if unknown := [name for name in wanted if name not in MEASUREMENTS]:
        print(
            f"no such measurement: {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}", file=sys.stderr
        )
        return 2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    load = ", ".join(f"{one:.1f}" for one in getloadavg())
    print(
        f"Python {platform.python_version()}, {cpu_count()} processors, load {load}: ratios within this run"
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(wanted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
