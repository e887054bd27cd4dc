"""While bulk has filled its stream, what ends something still gets through, on a real broker and database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.client import Client
from prometheus_client import REGISTRY

from shared.bus.consuming import Publisher, connection
from shared.bus.levels import measure, streams_of
from shared.bus.outbox import Relay, appended, embedded, entry, prepare
from shared.bus.streams import DEAD_STREAM, provision
from shared.events import (
    CASE_CHANGED,
    MODERATION_RECALLED,
    REACH_CLICKED,
    URGENT,
    CaseChanged,
    ModerationRecalled,
    ReachClicked,
)
from shared.failures import Failure, Unavailable, attempt, keep_running
from shared.settings import Settings
from shared.storage.document import Document
from shared.storage.mongo import Collection, connect
from tests.support.people import eventually
from tests.support.processes import Server, start_nats

KEY = Ed25519PrivateKey.generate()
SMALL = 1 << 20
STUCK = 400
"""More documents than the relay tries in vain before it takes the bus to be away."""


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Server]:
    server = start_nats(tmp_path)
    yield server
    server.stop()


@pytest.fixture
async def link(nats: Server) -> AsyncIterator[Client]:
    opened = await connection(Settings.from_env(nats=nats.url), name="test")
    await provision(opened, replicas=1, max_bytes=SMALL)
    yield opened
    await opened.close()


@pytest.fixture
async def cases(mongo_url: str) -> AsyncIterator[Collection]:
    client, name = connect(mongo_url), f"urgent_{uuid4().hex[:8]}"
    await prepare(client[name]["cases"])
    yield client[name]["cases"]
    await client.drop_database(name)
    await client.close()


def bulk(case: str) -> Document:
    changed = CaseChanged(
        event_id=uuid4(),
        occurred_at=datetime.now(UTC),
        subject_id=case,
        version=1,
        revision=1,
        state="screened",
        language="az",
        country="AZ",
    )
    return entry(CASE_CHANGED, changed)


def recall(case: str) -> Document:
    event = ModerationRecalled(
        event_id=uuid4(), occurred_at=datetime.now(UTC), subject_id=case, version=2, reason="rights", by="m"
    )
    return entry(MODERATION_RECALLED, event)


async def fill(link: Client, subject: str, stream: str) -> None:
    publisher = Publisher(link)
    while not isinstance(
        full := await attempt(
            publisher.publish(subject, b"x" * 100_000, stream=stream, message_id=str(uuid4()))
        ),
        Failure,
    ):
        pass
    assert isinstance(full.error, Unavailable)
    while not isinstance(
        await attempt(publisher.publish(subject, b"x", stream=stream, message_id=str(uuid4()))), Failure
    ):
        pass


async def test_a_recall_leaves_while_hundreds_of_others_wait_for_room(
    link: Client, cases: Collection
) -> None:
    await fill(link, CASE_CHANGED.subject, CASE_CHANGED.stream)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    waiting = [
        {"_id": f"c{number}", **embedded(bulk(f"c{number}")), "outbox_since": long_ago}
        for number in range(STUCK)
    ]
    await cases.insert_many(waiting)
    relay = Relay([cases], Publisher(link), KEY)
    running = asyncio.create_task(keep_running("relay", relay.run))
    try:
        # Of a process that died before it could publish; one of these cases waits itself.
        for case in ("c7", f"c{STUCK - 1}"):
            update = appended(recall(case))
            update["$set"] = dict.fromkeys(update["$set"], long_ago)
            await cases.update_one({"_id": case}, update)
        relay.nudge(cases, *(f"c{number}" for number in range(STUCK)))

        async def told() -> bool:
            return bool((await link.jetstream().stream_info(URGENT)).state.messages >= 2)

        await eventually(told, seconds=30, what="the recalls")

        async def noted() -> bool:
            return await cases.find_one({"outbox_urgent": {"$exists": True}}) is None

        await eventually(noted, seconds=30, what="the recalls' marks taken away")
    finally:
        running.cancel()
    left = await cases.find_one({"_id": "c7"})
    assert left is not None
    assert [item["subject"] for item in left["outbox"]] == [CASE_CHANGED.subject]
    assert "outbox_since" in left
    assert await cases.count_documents({"outbox": {"$size": 1}}) == STUCK


async def test_a_recall_goes_ahead_of_what_its_own_case_has_to_tell(link: Client, cases: Collection) -> None:
    await fill(link, CASE_CHANGED.subject, CASE_CHANGED.stream)
    await cases.insert_one({"_id": "c", **embedded(bulk("c"), recall("c"))})

    with pytest.raises(Unavailable):
        await Relay([cases], Publisher(link), KEY).drain()

    assert (await link.jetstream().stream_info(URGENT)).state.messages == 1


async def test_clicks_fill_the_stream_of_reach_alone(link: Client) -> None:
    click = ReachClicked(
        event_id=uuid4(), occurred_at=datetime.now(UTC), subject_id="a", version=1, code="aaaaaaaaaa"
    )
    await fill(link, REACH_CLICKED.subject, REACH_CLICKED.stream)
    publisher = Publisher(link)
    body = click.model_dump_json().encode()

    with pytest.raises(Unavailable):
        await publisher.publish(REACH_CLICKED.subject, body, stream=REACH_CLICKED.stream, message_id="c")
    for topic in (CASE_CHANGED, MODERATION_RECALLED):
        await publisher.publish(topic.subject, b"{}", stream=topic.stream, message_id=topic.subject)


async def test_how_full_a_stream_is_is_shown(link: Client) -> None:
    await fill(link, REACH_CLICKED.subject, REACH_CLICKED.stream)

    await measure(link, streams_of("metrics"))

    shown = {
        name: REGISTRY.get_sample_value("konullu_stream_fill_ratio", {"stream": name})
        for name in ("REACH", DEAD_STREAM)
    }
    assert shown["REACH"] is not None
    assert 0.95 < shown["REACH"] <= 1
    assert shown[DEAD_STREAM] == 0


async def test_each_service_looks_at_what_it_writes() -> None:
    assert streams_of("ingest") == ("PEOPLE", URGENT, "SUBMISSIONS", "SURVEYS", DEAD_STREAM)
    assert streams_of("moderation") == ("MODERATION", URGENT, DEAD_STREAM)
