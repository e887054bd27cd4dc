"""Batches from a durable consumer: nothing left out, nothing left hanging."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.bus.consuming import connection
from shared.bus.pull import Pull, give_back
from shared.bus.streams import consumer_of, provision
from shared.events import REACH_CLICKED
from shared.settings import Settings
from tests.support.processes import Server, start_nats

DURABLE = consumer_of("metrics", REACH_CLICKED).durable


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = start_nats(tmp_path)
    yield started
    started.stop()


@pytest.fixture
async def link(server: Server) -> AsyncIterator[Client]:
    settings = Settings(nats=server.url)
    opened = await connection(settings, name="test")
    await provision(opened, replicas=1, max_bytes=settings.stream_max_bytes)
    yield opened
    await opened.close()


def pull(link: Client, size: int = 50) -> Pull:
    return Pull(link, stream=REACH_CLICKED.stream, durable=DURABLE, size=size)


async def publish(link: Client, first: int, last: int) -> None:
    stream = link.jetstream()
    async with asyncio.timeout(20):
        for number in range(first, last):
            stored = False
            while not stored:
                headers = {"Nats-Msg-Id": str(number)}
                try:
                    await stream.publish(
                        REACH_CLICKED.subject,
                        str(number).encode(),
                        stream=REACH_CLICKED.stream,
                        headers=headers,
                        timeout=1,
                    )
                    stored = True
                except NatsError:
                    await asyncio.sleep(0.1)


async def read(source: Pull, count: int, *, seconds: float = 20) -> list[list[int]]:
    """Batches with so many messages in all, acknowledged."""
    batches: list[list[Msg]] = []
    async with asyncio.timeout(seconds):
        while sum(len(batch) for batch in batches) < count:
            batches.append(await source.take(50, 0.1))
            for message in batches[-1]:
                await message.ack_sync()
    return [[int(message.data) for message in batch] for batch in batches]


async def test_everything_comes_once_in_order_in_full_batches(link: Client) -> None:
    await publish(link, 0, 220)
    source = pull(link)

    batches = await read(source, 220)
    await source.close()

    assert [number for batch in batches for number in batch] == list(range(220))
    assert [len(batch) for batch in batches] == [50, 50, 50, 50, 20]


async def test_what_comes_after_a_long_quiet_is_read_too(
    link: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.pull.EXPIRES_SECONDS", 1.0)
    monkeypatch.setattr("shared.bus.pull.HEARTBEAT_SECONDS", 0.4)
    source = pull(link)
    waiting = asyncio.create_task(read(source, 3))
    await asyncio.sleep(2.5)
    await publish(link, 0, 3)

    batches = await waiting
    await source.close()

    assert [number for batch in batches for number in batch] == [0, 1, 2]


async def test_a_reader_that_ends_holds_nothing_back(link: Client) -> None:
    first = pull(link)
    await publish(link, 0, 10)
    await read(first, 10)
    await first.close()
    await publish(link, 10, 60)

    second = pull(link)
    batches = await read(second, 50, seconds=5)
    await second.close()

    assert [number for batch in batches for number in batch] == list(range(10, 60))


async def test_what_nobody_has_taken_is_handed_back_at_once(link: Client) -> None:
    await publish(link, 0, 50)
    first = pull(link)
    taken = await first.take(10)
    await taken[0].ack_sync()
    await first.close()
    await give_back(taken)

    second = pull(link)
    batches = await read(second, 49, seconds=10)  # long before the consumer's own patience ends
    await second.close()

    assert sorted(number for batch in batches for number in batch) == list(range(1, 50))


async def test_what_has_lain_too_long_is_left_to_those_it_is_handed_to_next(
    link: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pull(link)
    await publish(link, 0, 3)
    assert [int(message.data) for message in await source.take(1, 1)] == [0]
    monkeypatch.setattr("shared.bus.pull.STALE_SECONDS", 0.0)
    await publish(link, 3, 4)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await source.take(1)
    await source.close()


async def test_reading_goes_on_after_the_broker_was_away(link: Client, server: Server) -> None:
    source = pull(link)
    await publish(link, 0, 5)
    await read(source, 5)
    waiting = asyncio.create_task(read(source, 5))
    await asyncio.sleep(0.2)
    server.kill()
    server.restart()
    async with asyncio.timeout(20):
        while not link.is_connected:
            await asyncio.sleep(0.05)
    await publish(link, 5, 10)

    batches = await waiting
    await source.close()

    assert [number for batch in batches for number in batch] == [5, 6, 7, 8, 9]
