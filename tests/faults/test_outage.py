"""A time without the broker: accepting goes on, nothing is lost, and everything arrives once it is back."""

import asyncio
import json
import os
import signal
from pathlib import Path
from time import monotonic
from typing import Any, Final

import pytest

from shared.bus.consuming import connection
from tests.demo.items import ITEMS
from tests.support.drill import usually
from tests.support.people import Line, Staff, Volunteer, eventually
from tests.support.stack import stack

AWAY_SECONDS: Final = usually(20.0, drill=60.0)
BACK_SECONDS: Final = 60.0


def submission(number: int) -> dict[str, Any]:
    item = ITEMS[number % len(ITEMS)]
    return {
        "title": f"{item.title} № {number}",
        "body": item.body,
        "language": item.language,
        "country": "AZ",
        "hashtags": list(item.hashtags),
        "media": [],
        "attribution": {"mode": "anonymous"},
        "consent": {"terms_version": "2020-09", "people_shown": "none", "rights": "own"},
        "ai": {"made": False, "edited": False},
    }


@pytest.mark.timeout(300)
async def test_what_is_accepted_while_the_broker_is_away_is_published_afterwards(
    tmp_path: Path,
) -> None:
    with stack(tmp_path) as built:
        line = Line(built.url)
        author = await Volunteer.register(line, name="Ayna", country="AZ", languages=["az"])
        moderator = Staff(line, await asyncio.to_thread(built.staff, "moderator", "Leyla"))
        broker = json.loads((built.home / "run.json").read_text())["children"]["nats"][0]
        os.kill(broker, signal.SIGSTOP)
        began = monotonic()
        accepted: list[str] = []
        while monotonic() - began < AWAY_SECONDS:
            accepted.append((await author.submit(submission(len(accepted))))["submission_id"])
            await asyncio.sleep(AWAY_SECONDS / 20)
        assert len({(await author.ledger(one))["state"] for one in accepted}) == 1
        os.kill(broker, signal.SIGCONT)

        decided: set[str] = set()

        async def all_decided() -> bool:
            held = await moderator.claim()
            if held is not None and await moderator.decide(held["claim_token"]):
                decided.add(held["submission"]["submission_id"])
            return decided == set(accepted)

        await eventually(all_decided, seconds=BACK_SECONDS, what="everything accepted decided")

        async def all_published() -> bool:
            return all([(await author.ledger(one))["state"] == "published" for one in accepted])

        await eventually(all_published, seconds=BACK_SECONDS, what="everything accepted published")
        link = await connection(built.operator(), name="test")
        assert (await link.jetstream().stream_info("DEAD")).state.messages == 0
        await link.close()
        await line.close()
