"""A fact that ends something is believed from its service alone, by each of those who hear it, on a real broker."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import REGISTRY

from shared.bus.consuming import Batch, consume, consume_batches
from shared.bus.streams import CONSUMERS, PRODUCERS, Consumer, producer_of
from shared.events import (
    MODERATION_RECALLED,
    STAFF_CHANGED,
    SUBMISSION_WITHDRAWN,
    TOPICS,
    URGENT,
    Event,
    ModerationRecalled,
    Scopes,
    StaffChanged,
    SubmissionWithdrawn,
    Topic,
)
from shared.identity.signing import HEADER, sign_message
from shared.identity.tokens import OwnKeys, jwks
from shared.runtime.service import Parts, Runtime
from shared.settings import Settings
from tests.servers.plain import Incoming, PlainServer, Reply
from tests.support.people import eventually
from tests.support.processes import Server, start_nats
from tests.support.running import Running, provisioned, running, settings_for
from tests.support.signed import publish_signed

KEYS = {service: Ed25519PrivateKey.generate() for service in ("ingest", "moderation")}
STRANGER = Ed25519PrivateKey.generate()
HEARING = [each for each in CONSUMERS if each.topic.signed]


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Server]:
    server = start_nats(tmp_path)
    yield server
    server.stop()


@pytest.fixture
async def settings(tmp_path: Path, nats: Server, mongo_url: str) -> AsyncIterator[Settings]:
    async def keys(_: Incoming) -> Reply:
        return Reply.of(jwks(KEYS["moderation"].public_key()))

    moderation = PlainServer(keys)
    await moderation.start()
    made = settings_for(tmp_path / "home", nats_url=nats.url, mongo_url=mongo_url, moderation=moderation.url)
    await provisioned(made)
    yield made
    await moderation.stop()


def fact(topic: Topic[Any], subject_id: str) -> Event:
    base: dict[str, Any] = {
        "event_id": uuid4(),
        "occurred_at": datetime.now(UTC),
        "subject_id": subject_id,
        "version": 9,
    }
    if topic is STAFF_CHANGED:
        return StaffChanged(**base, role="editor", scopes=Scopes(), token_epoch=7)
    if topic is MODERATION_RECALLED:
        return ModerationRecalled(**base, reason="rights", by="m")
    return SubmissionWithdrawn(**base)


def forgeries(topic: Topic[Any], body: bytes) -> dict[str, dict[str, str]]:
    """Headers that a message must not be believed with, by why."""
    own = KEYS[producer_of(topic)]
    other = KEYS["ingest" if producer_of(topic) == "moderation" else "moderation"]
    elsewhere = next(each for each in TOPICS if each.signed and each is not topic)
    return {
        "unsigned": {},
        "altered": {HEADER: sign_message(topic.subject, body + b" ", own)},
        "of another subject": {HEADER: sign_message(elsewhere.subject, body, own)},
        "by a stranger": {HEADER: sign_message(topic.subject, body, STRANGER)},
        "by another service": {HEADER: sign_message(topic.subject, body, other)},
        "nonsense": {HEADER: "nobody.at all"},
    }


def hearer(consumer: Consumer, heard: list[str]) -> Callable[[Runtime], Parts]:
    """A service that notes of whom it was told, as the real one is told: singly, or many at a time."""

    async def note(event: Event) -> None:
        heard.append(event.subject_id)

    async def note_all(batch: Batch) -> None:
        heard.extend(event.subject_id for _, event in batch)

    def assemble(runtime: Runtime) -> Parts:
        if consumer.topic is STAFF_CHANGED:
            return Parts()
        if consumer.service == "metrics":
            read = partial(
                consume_batches, runtime.link, runtime.settler, consumer.topic, note_all, service="metrics"
            )
            return Parts(jobs={"together": read})
        note.__annotations__["event"] = consumer.topic.event
        consume(runtime.broker, consumer.topic, service=consumer.service)(note)
        return Parts()

    return assemble


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.mark.parametrize("consumer", HEARING, ids=lambda each: each.durable)
async def test_only_what_its_service_has_signed_is_acted_on(
    settings: Settings, consumer: Consumer, heard: list[str]
) -> None:
    topic, refused_before = consumer.topic, refused(consumer.topic)

    trusted = OwnKeys(KEYS["ingest"].public_key())
    async with running(consumer.service, settings, hearer(consumer, heard), keys=trusted) as one:
        forged = fact(topic, "forged").model_dump_json().encode()
        for why, headers in forgeries(topic, forged).items():
            await one.runtime.publisher.publish(
                topic.subject, forged, stream=topic.stream, message_id=f"{consumer} {why}", headers=headers
            )
        await publish_signed(one.runtime.publisher, topic, fact(topic, "true"), KEYS[producer_of(topic)])

        async def at_rest() -> bool:
            info = await one.runtime.link.jetstream().consumer_info(topic.stream, consumer.durable)
            return (info.num_pending, info.num_ack_pending) == (0, 0)

        await eventually(at_rest, seconds=30, what="everything settled")
        acted_on = set(heard) or {each["_id"] async for each in one.runtime.database["epochs"].find({})}
        reasons = [each["Dead-Reason"] for each in await dead(one, consumer)]

    assert acted_on == {"true"}
    assert sorted(reason.split(")")[0] for reason in reasons) == sorted(
        f"Forged: refused ({code}"
        for code in ("unsigned", "altered", "altered", "unknown_key", "unknown_key", "unknown_key")
    )
    assert refused(topic) - refused_before == 6


async def dead(one: Running, consumer: Consumer) -> list[dict[str, str]]:
    """The headers of what this consumer has put aside."""
    stream = one.runtime.link.jetstream()
    info = await stream.stream_info("DEAD")
    found = [await stream.get_msg("DEAD", number) for number in range(1, info.state.last_seq + 1)]
    return [
        message.headers or {}
        for message in found
        if (message.headers or {})["Dead-Consumer"] == consumer.durable
    ]


def refused(topic: Topic[Any]) -> float:
    """How many signatures this process has refused on the topic."""
    codes = ("unsigned", "altered", "unknown_key")
    name = "konullu_signatures_refused_total"
    return sum(
        REGISTRY.get_sample_value(name, {"subject": topic.subject, "code": code}) or 0 for code in codes
    )


def test_every_fact_that_ends_something_is_signed_and_urgent() -> None:
    assert {STAFF_CHANGED, SUBMISSION_WITHDRAWN, MODERATION_RECALLED} == {
        topic for topic in TOPICS if topic.signed
    }
    assert {topic for topic in TOPICS if topic.stream == URGENT} == {t for t in TOPICS if t.signed}
    assert {service for service, topics in PRODUCERS.items() if any(t.signed for t in topics)} == set(KEYS)
