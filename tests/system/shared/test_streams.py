"""The broker is configured as the repository says, in every field, or a service does not start."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, StreamConfig

from shared.bus.consuming import connection
from shared.bus.streams import CONSUMERS, differences, drift, provision, stream_configs
from shared.runtime.service import Parts
from tests.support.processes import Server, start_nats
from tests.support.running import provisioned, running, settings_for


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Server]:
    server = start_nats(tmp_path)
    yield server
    server.stop()


@pytest.fixture
async def link(nats: Server, tmp_path: Path) -> Any:
    settings = settings_for(tmp_path / "home", nats_url=nats.url, mongo_url="mongodb://127.0.0.1:1")
    opened = await connection(settings, name="test")
    await provision(opened, replicas=1, max_bytes=1 << 30)
    yield opened
    await opened.close()


async def asked(link: Client, subject: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = await link.request(f"$JS.API.{subject}", json.dumps(body).encode() if body else b"")
    document: dict[str, Any] = json.loads(answer.data)
    return document


def mutated(value: object) -> object:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, list):
        return [*value, "another"]
    if isinstance(value, dict):
        return {**value, "another": "1"}
    return "something"


def fields_of(kind: type) -> set[str]:
    """Every field that the client library knows of a configuration."""
    return set(kind.__dataclass_fields__)  # type: ignore[attr-defined]  # both are dataclasses


async def test_provisioning_twice_leaves_no_difference_and_changes_nothing(link: Client) -> None:
    before = await asked(link, "STREAM.INFO.SUBMISSIONS")
    await provision(link, replicas=1, max_bytes=1 << 30)
    after = await asked(link, "STREAM.INFO.SUBMISSIONS")

    assert await drift(link, replicas=1, max_bytes=1 << 30) == []
    assert before["config"] == after["config"]
    assert before["created"] == after["created"]


async def test_every_field_of_a_stream_is_compared(link: Client) -> None:
    """Introspection: whatever the server returns, and whatever the client library knows beside it."""
    expected = stream_configs(replicas=1, max_bytes=1 << 30)[0]
    found = (await asked(link, f"STREAM.INFO.{expected['name']}"))["config"]
    fields = (set(found) | fields_of(StreamConfig)) - {"metadata"}

    unnoticed = [
        field
        for field in sorted(fields)
        if not differences(expected, {**copy.deepcopy(found), field: mutated(found.get(field))})
    ]

    assert len(fields) >= 30
    assert unnoticed == []
    assert differences(expected, {**found, "metadata": {"owner": "somebody"}})
    assert not differences(expected, found)


async def test_every_field_of_a_consumer_is_compared(link: Client) -> None:
    consumer = CONSUMERS[0]
    expected = consumer.config(1)
    found = (await asked(link, f"CONSUMER.INFO.{consumer.topic.stream}.{consumer.durable}"))["config"]
    fields = (set(found) | fields_of(ConsumerConfig)) - {"metadata"}

    unnoticed = [
        field
        for field in sorted(fields)
        if not differences(expected, {**copy.deepcopy(found), field: mutated(found.get(field))})
    ]

    assert len(fields) >= 25
    assert unnoticed == []
    assert not differences(expected, found)


STREAM_DRIFT: dict[str, object] = {
    "max_age": 86_400_000_000_000,
    "max_bytes": 10_000_000,
    "max_msgs": 10,
    "max_msg_size": 1000,
    "max_msgs_per_subject": 5,
    "max_consumers": 50,
    "discard": "old",
    "duplicate_window": 120_000_000_000,
    "description": "somebody was here",
    "no_ack": True,
    "compression": "s2",
    "allow_direct": False,
    "subjects": ["submissions.more.v1", "submissions.received.v1"],
    "metadata": {"owner": "somebody"},
}
CONSUMER_DRIFT: dict[str, object] = {
    "ack_wait": 77_000_000_000,
    "max_deliver": 9,
    "max_ack_pending": 9,
    "inactive_threshold": 3_600_000_000_000,
    "description": "somebody was here",
    "headers_only": True,
    "sample_freq": "50",
    "backoff": [1_000_000_000],
}


@pytest.mark.parametrize("field", [*STREAM_DRIFT, *(f"consumer {name}" for name in CONSUMER_DRIFT)])
async def test_a_service_refuses_to_start_when_a_field_was_changed_on_the_broker(
    field: str, nats: Server, mongo_url: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path / "home", nats_url=nats.url, mongo_url=mongo_url)
    await provisioned(settings)
    link = await connection(settings, name="test")
    if field.startswith("consumer "):
        name = field.removeprefix("consumer ")
        consumer = next(one for one in CONSUMERS if one.service == "moderation")
        stream = consumer.topic.stream
        path = f"CONSUMER.CREATE.{stream}.{consumer.durable}.{consumer.topic.subject}"
        changes = {name: CONSUMER_DRIFT[name]} | ({"max_deliver": 9} if name == "backoff" else {})
        answer = await asked(
            link,
            path,
            {"stream_name": stream, "config": {**consumer.config(1), **changes}, "action": "update"},
        )
    else:
        name = field
        expected = next(
            one
            for one in stream_configs(replicas=settings.stream_replicas, max_bytes=settings.stream_max_bytes)
            if one["name"] == "SUBMISSIONS"
        )
        answer = await asked(link, "STREAM.UPDATE.SUBMISSIONS", {**expected, name: STREAM_DRIFT[name]})
    await link.close()
    assert "error" not in answer, answer["error"]

    async with running("moderation", settings, lambda _runtime: Parts()) as one:
        assert not one.runtime.health.started
        assert one.process.refusal is not None
        assert name in one.process.refusal
        assert "shared.bus.provision" in one.process.refusal


async def test_a_missing_consumer_is_a_difference(link: Client) -> None:
    consumer = CONSUMERS[0]
    await asked(link, f"CONSUMER.DELETE.{consumer.topic.stream}.{consumer.durable}")

    assert await drift(link, replicas=1, max_bytes=1 << 30) == [f"consumer {consumer.durable} is missing"]
    assert await drift(link, replicas=1, max_bytes=1 << 30, service="publisher") == []
