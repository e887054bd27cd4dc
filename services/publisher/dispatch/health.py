"""Whether each channel can be used: asked now and then, told by the API, the desk and the counters."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.publisher.channels.port import Channel, ChannelHealth
from services.publisher.deliveries import telemetry
from shared.failures import Failure, attempt

EVERY_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class ChannelFinding:
    """A channel's health, and when it was asked."""

    health: ChannelHealth
    at: datetime


class Checkup:
    """The latest finding of every channel."""

    def __init__(self, channels: Sequence[Channel], clock: Callable[[], datetime]) -> None:
        self._channels, self._clock = channels, clock
        self._findings: dict[str, ChannelFinding] = {}

    def finding(self, channel: str) -> ChannelFinding | None:
        """The latest finding; `None` before the first."""
        return self._findings.get(channel)

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Ask every channel once."""
        await asyncio.gather(*(self._ask(channel) for channel in self._channels))

    async def _ask(self, channel: Channel) -> None:
        answer = await attempt(asyncio.wait_for(channel.health(), PATIENCE_SECONDS))
        health = ChannelHealth(ok=False, detail=answer.reason) if isinstance(answer, Failure) else answer
        self._findings[channel.id] = ChannelFinding(health, self._clock())
        telemetry.channel_health(channel.id, ok=health.ok, detail=health.detail)
