"""How tests run on a machine: what it lacks and how to get it, what may not be skipped, what begins first.

Properties try the same examples in every run; with `KONULLU_DRILL` set they try others, from a seed that is printed.
"""

import os
import shutil
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.drill import DRILL

FIRST = ("tests/faults", "tests/system", "tests/browser")
"""What takes longest begins first, so that two workers end together."""
NEEDS = {
    "chromium": ("chromium", "apt-get install chromium"),
    "promtool": ("promtool", "apt-get install prometheus"),
    "amtool": ("amtool", "apt-get install prometheus-alertmanager"),
}


settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("drill", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("drill" if DRILL else "steady")


def _missing(marker: str) -> str | None:
    program, remedy = NEEDS[marker]
    return None if shutil.which(program) else f"{program} is missing: {remedy}"


def pytest_report_header() -> list[str]:
    return [lack for marker in NEEDS if (lack := _missing(marker))]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in NEEDS:
        if item.get_closest_marker(marker) and (lack := _missing(marker)):
            pytest.skip(lack)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        name = item.nodeid
        return next((number for number, folder in enumerate(FIRST) if name.startswith(folder)), len(FIRST))

    items.sort(key=turn)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI doesn't allow: {report.longrepr}"
    return report
