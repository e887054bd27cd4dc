"""Metrics is killed again and again while it counts: totals, the rebuild and the plain sum of all events are equal."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import httpx
import pytest

from services.metrics.counting.rebuild import rebuild
from services.metrics.settings import MetricsSettings
from shared.events import Event, ReachClicked, ReachSampled
from shared.storage.mongo import connect
from tests.support.builders.reach_events import history
from tests.support.builders.reach_reference import Totals, reference
from tests.support.drill import usually
from tests.support.pages.reach import Reach, open_reach
from tests.support.processes import Server, start_mongo, start_nats, until

SEEDS = usually([20261120], drill=[20261120, 7, 30])
EVENTS = 2_000
KILLS = 5
FOLLOWED = 15
"""Clicks through the redirect between two kills."""
REBUILDS_KILLED = 3
PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    for name in ("nats", "mongo"):
        (tmp_path / name).mkdir()
    nats, mongo = start_nats(tmp_path / "nats"), start_mongo(tmp_path / "mongo")
    yield nats, mongo
    nats.stop()
    mongo.stop()


@pytest.fixture
def reach(tmp_path: Path, servers: tuple[Server, Server]) -> Iterator[Reach]:
    opened = open_reach(tmp_path / "home", servers[0].url, servers[1].url)
    yield opened
    opened.server.stop()


def totals(reach: Reach, *by: str) -> Totals:
    found: Totals = Counter()
    for row in reach.rows(f"by={','.join(by)}"):
        if row["metric"] != "reached":
            found[tuple(row[name] or "" for name in by), row["metric"], row["kind"]] += row["value"]
    return +found


def follow(reach: Reach, codes: Sequence[str]) -> list[str]:
    """Follow links; gives back those codes whose click was answered, and so is on the disk.

    A code that metrics has not heard of yet is left alone: its clicks wait in memory alone.
    """
    answered = []
    with httpx.Client(base_url=reach.url, headers=PHONE, timeout=5) as browser:
        for code in codes:
            if "/go/" not in browser.head(f"/r/{code}").headers["location"]:
                assert browser.get(f"/r/{code}").status_code == 302
                answered.append(code)
    return answered


async def is_amid(reach: Reach) -> bool:
    """Whether some entries of the journal are not in the counters yet."""
    client = connect(reach.settings.mongo_url)
    database = client[f"{reach.settings.database_prefix}metrics"]
    head = await database["heads"].find_one({"_id": "head"})
    last = await database["journal"].find({}, {"_id": 1}).sort("_id", -1).limit(1).to_list(1)
    await client.close()
    return bool(last) and (head is None or head["folded"] < last[0]["_id"])


async def generation_of(reach: Reach) -> int:
    """Which generation of the counters is valid."""
    client = connect(reach.settings.mongo_url)
    head = await client[f"{reach.settings.database_prefix}metrics"]["heads"].find_one({"_id": "head"})
    await client.close()
    assert head is not None
    return int(head["generation"])


def rebuild_and_kill(reach: Reach, after: float) -> bool:
    """Replace the counters from the journal in a process that is killed; whether it was killed amid its work."""
    work = subprocess.Popen(
        [sys.executable, "-m", "services.metrics.counting.rebuild", "--replace"],
        env={**os.environ, **reach.server.environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        work.wait(after)
    except subprocess.TimeoutExpired:
        work.kill()
        work.wait()
        return True
    return False


@pytest.mark.timeout(420)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nothing_counted_twice(
    reach: Reach, servers: tuple[Server, Server], seed: int
) -> None:
    chance = Random(seed)
    events = history(seed, deliveries=30, events=EVENTS)
    codes = [event.code for event in events if isinstance(event, ReachClicked)]
    followed: list[str] = []
    amid = 0
    portion = len(events) // KILLS + 1
    for start in range(0, len(events), portion):
        reach.tell(*events[start : start + portion])
        followed += follow(reach, chance.sample(codes, FOLLOWED))
        if chance.random() < 0.3:
            servers[1].kill()
            servers[1].restart()
        reach.server.kill()
        amid += asyncio.run(is_amid(reach))
        reach.server.restart()
        reach.until_ready()
    assert amid >= KILLS // 4, "too few kills hit it amid counting to prove anything"
    assert followed, "no link was followed"

    def counted() -> bool:
        return totals(reach, "channel", "language") == expected(reach, followed, "channel", "language")

    until(counted, seconds=120, what="everything being counted")
    for by in (["country", "hashtag"], ["audience_country"], ["section"]):
        assert totals(reach, *by) == expected(reach, followed, *by)

    killed = [rebuild_and_kill(reach, chance.uniform(0.5, 4)) for _ in range(REBUILDS_KILLED)]
    generation = asyncio.run(generation_of(reach))
    assert not rebuild_and_kill(reach, 60)
    assert asyncio.run(generation_of(reach)) > generation
    until(counted, seconds=60, what="the counters worked out again being those that are shown")
    reach.server.stop()
    assert any(killed), "no rebuild was killed amid its work"

    told = asyncio.run(rebuild(MetricsSettings.of(reach.settings), replace=False))
    assert (told["different"], told["repeated"]) == ([], 0)


def expected(reach: Reach, followed: Sequence[str], *by: str) -> Totals:
    """What was told over the bus, and what people followed."""
    clicks = [
        event.model_copy(update={"event_id": f"followed-{number}", "code": code})
        for number, code in enumerate(followed)
        for event in [next(one for one in reach.told if isinstance(one, ReachClicked))]
    ]
    reach_events: list[Event] = [*reach.told, *clicks]
    assert any(isinstance(event, ReachSampled) for event in reach_events)
    return reference(reach_events, by)
