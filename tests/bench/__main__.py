"""`python -m tests.bench [P4 P6 …] [--report FILE]`: measure the performance targets here and now.

A part that breaks is named at the end and does not keep the others from being measured. The exit code is 0 when every
part could be measured, whether or not its target was reached, and 1 otherwise.
"""

import argparse
import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from traceback import print_exception
from typing import Final

import structlog
import uvloop

from tests.bench import draining
from tests.bench.counting import p4, p6
from tests.bench.flow import p1, p2, p3, p5
from tests.bench.measured import machine
from tests.bench.report import Broken, Finding, show, table, write
from tests.bench.resting import p7, p8

Part = Callable[[], AsyncIterator[Finding]]
MEASUREMENTS: Final[Mapping[str, tuple[Part, ...]]] = {
    "P1": (p1,),
    "P2": (p2,),
    "P3": (p3,),
    "P4": (p4,),
    "P5": (p5,),
    "P6": (p6,),
    "P7": (p7,),
    "P8": (p8,),
    "P9": draining.PARTS,
}
WITH: Final = {"P1C": ("P1", "P2")}
"""Targets that are measured together with others."""
PART_SECONDS: Final = 900.0


async def measure(wanted: Sequence[str]) -> list[Finding | Broken]:
    """Run the measurements one after the other, so that none disturbs another."""
    found: list[Finding | Broken] = []
    for name, part in ((target, part) for target in wanted for part in MEASUREMENTS[target]):
        began = perf_counter()
        try:
            async with asyncio.timeout(PART_SECONDS):
                async for finding in part():
                    show(finding)
                    found.append(finding)
        except Exception as error:  # noqa: BLE001 - whatever breaks one part, the others are measured
            print_exception(error)
            found.append(Broken(name, f"{type(error).__name__}: {error}"[:300]))
            show(found[-1])
        print(f"{'':4} {name} took {perf_counter() - began:.0f} s", flush=True)
    return found


def chosen(names: Sequence[str]) -> list[str]:
    """The measurements that give these targets, all when none is named. Raises `LookupError` for an unknown one."""
    wanted: dict[str, None] = {}
    for name in (given.upper() for given in names):
        if name not in MEASUREMENTS and name not in WITH:
            raise LookupError(
                f"no such measurement: {name}; there are {', '.join([*MEASUREMENTS, 'P1c'])}, and "
                "`make campaign` for P10"
            )
        wanted.update(dict.fromkeys(WITH.get(name, (name,))))
    return list(wanted or MEASUREMENTS)


def main() -> int:
    """Measure what is named, or all."""
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="P1")
    parser.add_argument("--report", type=Path, help="write the findings as JSON, too")
    options = parser.parse_args()
    try:
        wanted = chosen(options.targets)
    except LookupError as unknown:
        parser.error(str(unknown))
    # What was started is stopped, however we are ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    on = machine()
    print(
        f"Python {on['python']}, {on['processors']} processors, {on['additions_per_second']:,.0f} additions a second, "
        f"load {on['load']}: ratios within this run"
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(measure(wanted))
    print(f"\n{table(found)}")
    if options.report is not None:
        write(options.report, on, found)
    return 1 if any(isinstance(one, Broken) for one in found) else 0


if __name__ == "__main__":
    raise SystemExit(main())
