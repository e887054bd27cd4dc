"""Many messages at a time from a durable pull consumer, at half the cost of nats-py's `fetch`.

`fetch` starts a timer and a task for each message. Here the client's own callback puts messages into a box, and the next
batch is asked for while the last one is being handled. What is in the box is not acknowledged: when the process ends, or
is slower than the consumer's patience, it comes again.
"""

import asyncio
import json
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

EXPIRES_SECONDS: Final = 3
"""How long the server keeps a request open."""
PATIENCE_SECONDS: Final = EXPIRES_SECONDS + 1.5
"""A request of which nothing was heard for so long is gone: the server was away."""
REFUSED_PAUSE_SECONDS: Final = 0.5
_ENDED: Final = frozenset({"404", "408"})
_HEARTBEAT: Final = "100"


class Pull:
    """Batches from one durable consumer. Only one reader at a time."""

    def __init__(self, link: Client, *, stream: str, durable: str, size: int) -> None:
        self._link, self._size = link, size
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox = link.new_inbox()
        self._box: list[Msg] = []
        self._coming = 0
        """Messages that were asked for and have not come, as far as is known."""
        self._refused = False
        self._heard_at = 0.0
        self._arrived = asyncio.Event()
        self._subscription: Subscription | None = None

    async def batch(self, linger: float) -> list[Msg]:
        """The next messages, `size` at most, as soon as there are so many or the first has waited `linger` seconds."""
        if self._subscription is None:
            self._subscription = await self._link.subscribe(self._inbox, cb=self._take)
        loop = asyncio.get_running_loop()
        until: float | None = None
        while len(self._box) < self._size:
            if self._box and until is None:
                until = loop.time() + linger
            if until is not None and loop.time() >= until:
                break
            await self._ask(loop.time())
            self._arrived.clear()
            patience = PATIENCE_SECONDS if until is None else max(0.0, until - loop.time())
            try:
                await asyncio.wait_for(self._arrived.wait(), patience)
            except TimeoutError:
                continue
        batch, self._box = self._box[: self._size], self._box[self._size :]
        await self._ask(loop.time())
        return batch

    async def close(self) -> None:
        """Ask for no more. The server forgets what was asked for and hands it to others."""
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            await subscription.unsubscribe()

    async def _ask(self, now: float) -> None:
        if self._coming > 0 and now - self._heard_at > PATIENCE_SECONDS:
            self._coming = 0
        if self._refused:
            self._refused = False
            await asyncio.sleep(REFUSED_PAUSE_SECONDS)
        if self._coming <= 0 and len(self._box) < self._size:
            self._coming, self._heard_at = self._size, now
            request = {"batch": self._size, "expires": EXPIRES_SECONDS * 1_000_000_000}
            await self._link.publish(self._subject, json.dumps(request).encode(), self._inbox)

    async def _take(self, message: Msg) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        status = (message.headers or {}).get("Status") if not message.data else None
        if status is None:
            self._box.append(message)
            self._coming -= 1
            if len(self._box) >= self._size or len(self._box) == 1:
                self._arrived.set()
        elif status != _HEARTBEAT:
            self._coming = 0
            self._refused = status not in _ENDED
            self._arrived.set()
