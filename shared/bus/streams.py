"""The streams and consumers of the bus: what the repository says, making it so, and comparing.

The configuration is written here in the server's own form (times in nanoseconds), whole, so that the comparison at the
start of every service covers each field that the server returns. One provisioner (`python -m shared.bus.provision`) creates;
services only compare and bind, and refuse to start when anything differs.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from shared.events import (
    CASE_CHANGED,
    DELIVERY_CHANGED,
    MODERATION_DECIDED,
    MODERATION_RECALLED,
    PERSON_REGISTERED,
    REACH_CLICKED,
    REACH_SAMPLED,
    REACH_TOTALLED,
    STAFF_CHANGED,
    SUBMISSION_RECEIVED,
    SUBMISSION_WITHDRAWN,
    SURVEY_ANSWERED,
    TOPICS,
    Topic,
)
from shared.failures import Unavailable

Config = dict[str, Any]

SECOND: Final = 1_000_000_000
"""Nanoseconds."""
DEAD_STREAM: Final = "DEAD"
DEAD_PREFIX: Final = "dead."
SETTLED: Final = f"{DEAD_PREFIX}settled"
"""Subject of the messages that say what became of others among the dead letters."""
STREAMS: Final = (*dict.fromkeys(topic.stream for topic in TOPICS), DEAD_STREAM)
"""Every stream of the bus."""
MAX_AGE_DAYS: Final = 30
DUPLICATE_WINDOW_SECONDS: Final = 600
ACK_WAIT_SECONDS: Final = 30
MAX_ACK_PENDING: Final = 64
MAX_MESSAGE_BYTES: Final = 1 << 20
API_TIMEOUT_SECONDS: Final = 5.0
NOT_FOUND: Final = 404
BATCH: Final = 1000


class Drift(Exception):
    """The broker's configuration is not the repository's. The text names every field that differs."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """A service's place in a stream: a durable pull consumer of one subject, shared among the service's replicas."""

    service: str
    topic: Topic[Any]
    max_ack_pending: int = MAX_ACK_PENDING

    @property
    def durable(self) -> str:
        """The consumer's name."""
        return f"{self.service}-{self.topic.subject.replace('.', '-')}"

    def config(self, replicas: int) -> Config:
        """The whole configuration, as the server returns it."""
        return {
            "durable_name": self.durable,
            "name": self.durable,
            "description": f"{self.topic.subject} for {self.service}",
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "ack_wait": ACK_WAIT_SECONDS * SECOND,
            "max_deliver": -1,
            "filter_subject": self.topic.subject,
            "replay_policy": "instant",
            "max_waiting": 512,
            "max_ack_pending": self.max_ack_pending,
            "num_replicas": replicas,
        }


CONSUMERS: Final[tuple[Consumer, ...]] = (
    Consumer("ingest", CASE_CHANGED),
    Consumer("ingest", MODERATION_DECIDED),
    Consumer("ingest", MODERATION_RECALLED),
    Consumer("ingest", DELIVERY_CHANGED),
    Consumer("ingest", REACH_TOTALLED),
    Consumer("moderation", STAFF_CHANGED),
    Consumer("moderation", SUBMISSION_RECEIVED),
    Consumer("moderation", SUBMISSION_WITHDRAWN),
    Consumer("moderation", DELIVERY_CHANGED),
    Consumer("publisher", STAFF_CHANGED),
    Consumer("publisher", MODERATION_DECIDED),
    Consumer("publisher", MODERATION_RECALLED),
    Consumer("publisher", SUBMISSION_WITHDRAWN),
    Consumer("metrics", STAFF_CHANGED),
    Consumer("metrics", PERSON_REGISTERED),
    Consumer("metrics", SUBMISSION_RECEIVED),
    Consumer("metrics", SUBMISSION_WITHDRAWN),
    Consumer("metrics", DELIVERY_CHANGED),
    Consumer("metrics", REACH_SAMPLED, max_ack_pending=4 * BATCH),
    Consumer("metrics", REACH_CLICKED, max_ack_pending=4 * BATCH),
)


PRODUCERS: Final[Mapping[str, tuple[Topic[Any], ...]]] = {
    "ingest": (PERSON_REGISTERED, STAFF_CHANGED, SUBMISSION_RECEIVED, SUBMISSION_WITHDRAWN, SURVEY_ANSWERED),
    "moderation": (CASE_CHANGED, MODERATION_DECIDED, MODERATION_RECALLED),
    "publisher": (DELIVERY_CHANGED, REACH_SAMPLED),
    "metrics": (REACH_CLICKED, REACH_TOTALLED),
}
"""Which service alone publishes what."""


LAY_IN: Final[Mapping[Topic[Any], str]] = {
    STAFF_CHANGED: "PEOPLE",
    SUBMISSION_WITHDRAWN: "SUBMISSIONS",
    MODERATION_RECALLED: "MODERATION",
}
"""Topics that earlier versions kept in another stream. What lies there still is read by nobody (`shared.bus.told_again`)."""


def former_places() -> list[tuple[str, str]]:
    """Stream and durable of every consumer that an earlier version left where its topic is no more."""
    return [(LAY_IN[consumer.topic], consumer.durable) for consumer in CONSUMERS if consumer.topic in LAY_IN]


def producer_of(topic: Topic[Any]) -> str:
    """The service that publishes it."""
    return next(service for service, topics in PRODUCERS.items() if topic in topics)


def consumer_of(service: str, topic: Topic[Any]) -> Consumer:
    """The declared consumer. Raises `LookupError` when the table above has none."""
    for consumer in CONSUMERS:
        if consumer.service == service and consumer.topic is topic:
            return consumer
    text = f"{service} has no consumer for {topic.subject}: add one to shared.bus.streams.CONSUMERS"
    raise LookupError(text)


def dead_subject(durable: str, subject: str) -> str:
    """Where a consumer's service, and it alone, puts aside a message that came on `subject`.

    Raises `LookupError` when the table above has no such consumer.
    """
    for consumer in CONSUMERS:
        if consumer.durable == durable and consumer.topic.subject == subject:
            return f"{DEAD_PREFIX}{consumer.service}.{subject}"
    text = f"there is no consumer {durable!r} for {subject}"
    raise LookupError(text)


def stream_config(name: str, subjects: Iterable[str], *, replicas: int, max_bytes: int) -> Config:
    """The whole configuration of a stream, as the server returns it."""
    return {
        "name": name,
        "subjects": sorted(subjects),
        "retention": "limits",
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": max_bytes,
        "max_age": MAX_AGE_DAYS * 24 * 3600 * SECOND,
        "max_msgs_per_subject": -1,
        "max_msg_size": MAX_MESSAGE_BYTES,
        "discard": "new",
        "storage": "file",
        "num_replicas": replicas,
        "duplicate_window": DUPLICATE_WINDOW_SECONDS * SECOND,
        "compression": "none",
        "allow_direct": True,
        "mirror_direct": False,
        "sealed": False,
        "deny_delete": True,
        "deny_purge": True,
        "allow_rollup_hdrs": False,
        "consumer_limits": {},
        "allow_msg_ttl": False,
    }


def stream_configs(*, replicas: int, max_bytes: int) -> list[Config]:
    """Every stream of the bus, with the subjects that `shared.events` gives it."""
    subjects: dict[str, list[str]] = {}
    for topic in TOPICS:
        subjects.setdefault(topic.stream, []).append(topic.subject)
    subjects[DEAD_STREAM] = [f"{DEAD_PREFIX}>"]
    return [
        stream_config(name, listed, replicas=replicas, max_bytes=max_bytes)
        for name, listed in subjects.items()
    ]


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Every field in which two configurations differ, in words. Pure.

    Fields that only the server knows (`metadata` keys with its own prefix) are left out; every other field counts,
    also one that only one side has.
    """
    left, right = _comparable(expected), _comparable(found)
    return [
        f"{field}: the repository says {left.get(field)!r}, the broker {right.get(field)!r}"
        for field in sorted(left.keys() | right.keys())
        if left.get(field) != right.get(field)
    ]


def _comparable(config: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in config.items() if key != "metadata"}
    own = {k: v for k, v in (config.get("metadata") or {}).items() if not k.startswith("_nats.")}
    if own:
        fields["metadata"] = own
    return fields


async def _ask(connection: Client, subject: str, body: Config | None = None) -> Config | None:
    """One call of the JetStream API; `None` for not found. Raises `Unavailable` or `Drift` (a refusal in words)."""
    payload = b"" if body is None else json.dumps(body).encode()
    try:
        answer = await connection.request(f"$JS.API.{subject}", payload, timeout=API_TIMEOUT_SECONDS)
    except (NatsTimeout, NoRespondersError) as error:
        text = "the broker's JetStream API"
        raise Unavailable(text) from error
    document: Config = json.loads(answer.data)
    if error_ := document.get("error"):
        if error_.get("code") == NOT_FOUND:
            return None
        if error_.get("code") == 503:  # noqa: PLR2004 - the API's own code for "temporarily unavailable"
            raise Unavailable(str(error_.get("description")))
        text = f"{subject}: {error_.get('description')}"
        raise Drift(text)
    return document


async def drift(
    connection: Client, *, replicas: int, max_bytes: int, service: str | None = None
) -> list[str]:
    """How the broker differs from the repository; empty when it does not. `service` limits the consumers compared."""
    found: list[str] = []
    for expected in stream_configs(replicas=replicas, max_bytes=max_bytes):
        name = expected["name"]
        answer = await _ask(connection, f"STREAM.INFO.{name}")
        if answer is None:
            found.append(f"stream {name} is missing")
            continue
        found += [f"stream {name}: {line}" for line in differences(expected, answer["config"])]
    for consumer in CONSUMERS:
        if service not in {None, consumer.service}:
            continue
        answer = await _ask(connection, f"CONSUMER.INFO.{consumer.topic.stream}.{consumer.durable}")
        if answer is None:
            found.append(f"consumer {consumer.durable} is missing")
            continue
        found += [
            f"consumer {consumer.durable}: {line}"
            for line in differences(consumer.config(replicas), answer["config"])
        ]
    return found


async def provision(connection: Client, *, replicas: int, max_bytes: int) -> None:
    """Create what is missing and change what differs. Raises `Drift` for what the server will not change.

    A subject that has moved leaves its old stream, with the consumers that read it there, before the new one takes it.
    """
    for stream, durable in former_places():
        if await _ask(connection, f"CONSUMER.INFO.{stream}.{durable}") is not None:
            await _ask(connection, f"CONSUMER.DELETE.{stream}.{durable}")
    missing = []
    for expected in stream_configs(replicas=replicas, max_bytes=max_bytes):
        name = expected["name"]
        answer = await _ask(connection, f"STREAM.INFO.{name}")
        if answer is None:
            missing.append(expected)
        elif differences(expected, answer["config"]):
            await _ask(connection, f"STREAM.UPDATE.{name}", expected)
    for expected in missing:
        await _ask(connection, f"STREAM.CREATE.{expected['name']}", expected)
    for consumer in CONSUMERS:
        stream, expected = consumer.topic.stream, consumer.config(replicas)
        answer = await _ask(connection, f"CONSUMER.INFO.{stream}.{consumer.durable}")
        if answer is None or differences(expected, answer["config"]):
            subject = f"CONSUMER.CREATE.{stream}.{consumer.durable}.{consumer.topic.subject}"
            await _ask(connection, subject, {"stream_name": stream, "config": expected})
    if remaining := await drift(connection, replicas=replicas, max_bytes=max_bytes):
        raise Drift("\n".join(remaining))
