"""How full the streams are, for whoever is to make room before one takes no more."""

import asyncio
from collections.abc import Iterable
from typing import Final

from nats.aio.client import Client

from shared.bus.streams import DEAD_STREAM, PRODUCERS
from shared.observability.telemetry import STREAM_FILL

EVERY_SECONDS: Final = 15.0


def streams_of(service: str) -> tuple[str, ...]:
    """The streams that a service writes."""
    return (*dict.fromkeys(topic.stream for topic in PRODUCERS[service]), DEAD_STREAM)


async def measure(link: Client, streams: Iterable[str]) -> None:
    """Look once, and show it."""
    for name in streams:
        info = await link.jetstream().stream_info(name)
        if info.config.max_bytes:
            STREAM_FILL.labels(name).set(info.state.bytes / info.config.max_bytes)


async def measure_always(link: Client, service: str) -> None:
    """Look again and again."""
    while True:
        await measure(link, streams_of(service))
        await asyncio.sleep(EVERY_SECONDS)
