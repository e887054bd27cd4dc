"""Names what this machine lacks and how to get it, and lets nothing be skipped where CI=true."""

import os
import shutil
from collections.abc import Generator

import pytest

NEEDS = {
    "chromium": ("chromium", "apt-get install chromium"),
    "promtool": ("promtool", "apt-get install prometheus"),
    "amtool": ("amtool", "apt-get install prometheus-alertmanager"),
}


def _missing(marker: str) -> str | None:
    program, remedy = NEEDS[marker]
    return None if shutil.which(program) else f"{program} is missing: {remedy}"


def pytest_report_header() -> list[str]:
    return [lack for marker in NEEDS if (lack := _missing(marker))]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in NEEDS:
        if item.get_closest_marker(marker) and (lack := _missing(marker)):
            pytest.skip(lack)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI doesn't allow: {report.longrepr}"
    return report
