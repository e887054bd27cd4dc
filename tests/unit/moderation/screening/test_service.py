"""A text that takes long to scan holds nobody up, and reaches people all the same."""

import asyncio
from dataclasses import replace

import pytest

from services.moderation.screening.rules import ClassRule, assess
from services.moderation.screening.service import Scanner
from shared.failures import Unavailable
from tests.support.builders.submissions import POLICY, photo, sensitive, submission

MANY_WORDS = ClassRule("incitement", words={"az": tuple(f"söz{number}" for number in range(3_000))})
SLOW = replace(POLICY, classes={**POLICY.classes, "incitement": MANY_WORDS})
LONG = submission(body="söz " * 5_000, media=(photo(alt=""),))


async def test_what_is_read_in_time_is_judged_as_ever() -> None:
    events = [submission(), sensitive(), submission(body="Zəng edin: +994 50 123 45 67")]

    assert await Scanner(POLICY).assess(events) == [assess(event, POLICY) for event in events]


async def test_what_takes_too_long_waits_for_two_people_and_nobody_waits_for_it() -> None:
    scanner = Scanner(SLOW, limit_seconds=0.01)
    turned = 0

    async def others() -> None:
        nonlocal turned
        while True:
            await asyncio.sleep(0)
            turned += 1

    task = asyncio.create_task(others())
    found = await scanner.assess([LONG, submission()])
    task.cancel()

    assert turned > 1
    for finding in found:
        assert (finding.classes, finding.risk, finding.reviewers) == (("personal_data",), "high", 2)
    assert [signal.code for signal in found[0].signals] == ["alt_missing", "not_scanned"]


async def test_a_decision_whose_text_takes_too_long_is_refused_for_now() -> None:
    with pytest.raises(Unavailable):
        await Scanner(SLOW, limit_seconds=0.01).run(lambda: assess(LONG, SLOW))


async def test_a_mistake_in_reading_is_told() -> None:
    with pytest.raises(ZeroDivisionError):
        await Scanner(POLICY).run(lambda: 1 // 0)
