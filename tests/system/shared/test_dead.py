"""Buried messages, dealt with from the command line's side, on a real broker with the real streams."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.js.errors import APIError

from deploy.cli.dead import DeadLetters
from deploy.cli.stack import CommandError
from shared.bus.consuming import Publisher, connection
from shared.bus.streams import DEAD_STREAM, provision
from shared.settings import Settings
from tests.support.processes import Server, start_nats

SUBJECT = "submissions.received.v1"
BODY = b"\xff not JSON \x00"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    server = start_nats(tmp_path)
    yield server
    server.stop()


@pytest.fixture
async def link(broker: Server) -> AsyncIterator[Client]:
    opened = await connection(Settings.from_env(nats=broker.url), name="test")
    await provision(opened, replicas=1, max_bytes=1 << 24)
    yield opened
    await opened.close()


async def _bury(link: Client, consumer: str = "moderation-submissions-received-v1") -> str:
    """One message that arrived, and was dead-lettered by its consumer."""
    publisher, message_id = Publisher(link), str(uuid4())
    await publisher.publish(
        SUBJECT, BODY, stream="SUBMISSIONS", message_id=message_id, headers={"traceparent": "00-abc-def-01"}
    )
    subscription = await link.jetstream().pull_subscribe_bind(consumer, "SUBMISSIONS")
    (raw,) = await subscription.fetch(1, timeout=5)
    await publisher.dead_letter(raw, consumer=consumer, reason="not JSON")
    await raw.ack_sync()
    await subscription.unsubscribe()
    return message_id


async def test_nothing_is_listed_when_nothing_is_dead(link: Client) -> None:
    assert await DeadLetters(link).open_messages() == []


async def test_a_buried_message_is_listed_with_its_origin_and_its_bytes(link: Client) -> None:
    message_id = await _bury(link)

    (one,) = await DeadLetters(link).open_messages()

    assert one.subject == SUBJECT
    assert one.stream == "SUBMISSIONS"
    assert one.consumer == "moderation-submissions-received-v1"
    assert one.reason == "not JSON"
    assert one.message_id == message_id
    assert one.body == BODY
    assert one.headers == {"traceparent": "00-abc-def-01"}
    assert await DeadLetters(link).inspect(one.sequence) == one


async def test_a_replay_reaches_the_consumer_with_the_same_bytes_and_is_listed_no_more(link: Client) -> None:
    await _bury(link)
    letters = DeadLetters(link)
    (one,) = await letters.open_messages()

    await letters.replay(one.sequence)

    subscription = await link.jetstream().pull_subscribe_bind(one.consumer, "SUBMISSIONS")
    (raw,) = await subscription.fetch(1, timeout=5)
    assert raw.data == BODY
    assert raw.subject == SUBJECT
    assert (raw.headers or {})["traceparent"] == "00-abc-def-01"
    assert await letters.open_messages() == []


async def test_a_message_is_dealt_with_once(link: Client) -> None:
    await _bury(link)
    letters = DeadLetters(link)
    (one,) = await letters.open_messages()
    await letters.discard(one.sequence)

    with pytest.raises(CommandError, match="dealt with already"):
        await letters.replay(one.sequence)

    state = (await link.jetstream().stream_info("SUBMISSIONS")).state
    assert state.messages == 1


async def test_a_discarded_message_stays_readable(link: Client) -> None:
    await _bury(link)
    letters = DeadLetters(link)
    (one,) = await letters.open_messages()

    await letters.discard(one.sequence)

    assert await letters.open_messages() == []
    assert (await letters.inspect(one.sequence)).body == BODY
    with pytest.raises(APIError):
        await link.jetstream().delete_msg(DEAD_STREAM, one.sequence)


@pytest.mark.parametrize("number", [1, 999])
async def test_an_unknown_number_is_refused_in_words(link: Client, number: int) -> None:
    with pytest.raises(CommandError, match="dead list"):
        await DeadLetters(link).inspect(number)
