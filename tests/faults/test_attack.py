"""Attacks on a running stack, each for a bounded time: others are still served, and nothing accepted is lost.

How much slower it gets is printed, as a ratio within the run (`pytest -s`); what is asserted is that everybody else got
their answer, that the attacker met a limit, and that each accepted submission reached its moderators.
"""

import os
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.support.attacking import ATTACKS, INNOCENT, Attack, Innocent, client_from, joined, ratios, under
from tests.support.people import Line, Volunteer, eventually
from tests.support.supervised import Supervised

CALM, LONG = (10.0, 30.0) if os.environ.get("KONULLU_DRILL") else (1.5, 3.0)
"""Seconds of use before and during an attack; longer in `make drill`."""
LIMITS = {
    "KONULLU_LIMIT_LOOPBACK": "true",
    "KONULLU_INGEST_LIMIT_LOOPBACK": "true",
    "KONULLU_INGEST_REQUESTS_AT_ONCE": "600",
}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    """A stack that counts this machine's own addresses like anybody's."""
    built = Supervised(tmp_path_factory.mktemp("attacked") / "home", environment=LIMITS)
    try:
        yield built.up()
    finally:
        built.end()


@pytest.fixture
async def innocent(attacked: Supervised) -> AsyncIterator[Innocent]:
    async with client_from(attacked, INNOCENT) as http:
        yield Innocent(http, await joined(http))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_others_are_served_and_nothing_accepted_is_lost(
    attacked: Supervised, innocent: Innocent, attack: Attack
) -> None:
    calm = await innocent.use(CALM)

    async with under(attack, attacked) as answers:
        meanwhile = await innocent.use(LONG)
        while answers.total() == 0:  # a busy machine has not even attacked yet
            meanwhile += await innocent.use(LONG)

    print(f"\n{attack.__name__}: {ratios(calm, meanwhile)}; attacker: {dict(answers.most_common(4))}")
    assert innocent.refused == {}
    assert not [answer for answer in answers if answer.startswith("5")]
    await _arrive(attacked, innocent)


async def _arrive(built: Supervised, innocent: Innocent) -> None:
    """Every submission that was accepted is still its author's, and has got to its moderators."""
    line = Line(built.url)
    author = Volunteer(line, innocent.headers["Authorization"].removeprefix("Bearer "), "", "AZ")

    async def waits(submission_id: str) -> bool:
        return bool((await author.ledger(submission_id))["state"] != "received")

    try:
        for each in innocent.accepted:
            await eventually(lambda each=each: waits(each), seconds=90, what=f"{each} to be screened")
    finally:
        await line.close()


async def test_limits_meet_whoever_attacks_and_nobody_else(attacked: Supervised, innocent: Innocent) -> None:
    for attack in ATTACKS:
        if attack.__name__ in {"newcomers", "wrong_codes"}:
            async with under(attack, attacked) as answers:

                async def limited(answers: dict[str, int] = answers) -> bool:
                    return answers["429"] + answers["may not join"] > 0

                await eventually(limited, seconds=60, what=f"a limit on {attack.__name__}")

    answer = await innocent.http.get("/api/ingest/v1/submissions", headers=innocent.headers)
    assert answer.status_code == httpx.codes.OK
