"""A short link leads on though database and bus are away, and the click is counted when they are back."""

import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.support.builders.reach_events import delivery
from tests.support.pages.reach import Reach, open_reach
from tests.support.processes import Server, start_mongo, start_nats, until

PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    for name in ("nats", "mongo"):
        (tmp_path / name).mkdir()
    nats, mongo = start_nats(tmp_path / "nats"), start_mongo(tmp_path / "mongo")
    yield nats, mongo
    for server in (nats, mongo):
        server.signal(signal.SIGCONT)
        server.stop()


@pytest.fixture
def reach(tmp_path: Path, servers: tuple[Server, Server]) -> Iterator[Reach]:
    opened = open_reach(tmp_path / "home", servers[0].url, servers[1].url)
    yield opened
    opened.server.stop()


def test_links_lead_on_while_everything_is_away_also_after_a_restart(
    reach: Reach, servers: tuple[Server, Server]
) -> None:
    chance = Random(1)
    known, unknown = delivery(chance, 1), delivery(chance, 2)
    reach.tell(known)

    def follow(code: str) -> str:
        answer = httpx.get(f"{reach.url}/r/{code}", headers=PHONE, timeout=3)
        assert answer.status_code == 302
        return answer.headers["location"]

    def clicks() -> int:
        return sum(row["value"] for row in reach.rows("by=") if row["metric"] == "clicks")

    until(lambda: follow(known.code) == known.target, seconds=20, what="the link being known")
    until(lambda: clicks() > 0, seconds=20, what="the first clicks")
    until(lambda: clicks() == clicks(), seconds=5, what="quiet")
    before = clicks()
    for server in servers:
        server.signal(signal.SIGSTOP)

    stopped = [follow(known.code) for _ in range(10)]
    reach.server.kill()
    reach.server.start()
    restarted = [follow(known.code) for _ in range(10)]
    # What nobody knows waits in memory alone, so that guessed codes leave nothing behind.
    lost_sight = [follow(unknown.code) for _ in range(3)]

    assert set(stopped + restarted) == {known.target}
    assert {address.rpartition("/")[2] for address in lost_sight} == {unknown.code}
    assert all("/go/" in address for address in lost_sight)
    for server in servers:
        server.signal(signal.SIGCONT)
    reach.until_ready()
    reach.tell(unknown)
    until(lambda: clicks() == before + 23, seconds=60, what="every click being counted")
