"""Messages of a durable pull consumer, asked for before they are needed.

The client library's own `fetch` starts a timer and a task for each message, and after an expired request it leaves two
requests open: the orphan takes a message, and the fetch waits out its time for the rest. Here one request stands at a
time, the client's own callback puts what comes into a box, and whoever is ready takes from it. What is in the box is not
acknowledged: `close` hands it back, and what is left of a killed process comes again after the consumer's patience.
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.bus.streams import ACK_WAIT_SECONDS, SECOND
from shared.concurrency.wake_up import woken
from shared.failures import Failure, attempt

EXPIRES_SECONDS: Final = 5.0
"""How long the server keeps a request open."""
HEARTBEAT_SECONDS: Final = 1.0
"""How often the server says that it still does."""
PATIENCE_SECONDS: Final = 2.5 * HEARTBEAT_SECONDS
"""A request of which nothing was heard for so long is gone: the server was away."""
REFUSED_PAUSE_SECONDS: Final = 0.5
STALE_SECONDS: Final = ACK_WAIT_SECONDS - 5.0
"""What has lain in the box for so long is about to be handed to somebody else: it is left to them."""
_ENDED: Final = frozenset({"404", "408"})
_HEARTBEAT: Final = "100"


class Pull:
    """Messages from one durable consumer. Only one taker at a time; any number of these may share the consumer."""

    def __init__(self, link: Client, *, stream: str, durable: str, size: int) -> None:
        """`size` messages at most lie in the box, and as many are asked for at a time."""
        self._link, self._size = link, size
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox = link.new_inbox()
        self._box: deque[tuple[float, Msg]] = deque()
        self._coming = 0
        """Messages that were asked for and have not come, as far as is known."""
        self._wanted = size
        self._refused = False
        self._heard_at = 0.0
        self._arrived = asyncio.Event()
        self._subscription: Subscription | None = None

    async def take(self, most: int, linger: float = 0.0) -> list[Msg]:
        """The next messages, at least one, as soon as there are `most` or the first has waited `linger` seconds."""
        if self._subscription is None:
            self._subscription = await self._link.subscribe(self._inbox, cb=self._put)
        now = asyncio.get_running_loop().time
        until: float | None = None
        self._wanted = most
        self._throw_away_stale(now())
        while len(self._box) < most:
            if self._box and until is None:
                until = now() + linger
            if until is not None and now() >= until:
                break
            await self._ask(now(), most)
            self._arrived.clear()
            patience = PATIENCE_SECONDS if self._coming > 0 else REFUSED_PAUSE_SECONDS
            if until is not None:
                patience = max(0.0, until - now())
            await woken(self._arrived, patience)
            self._throw_away_stale(now())
        taken = [self._box.popleft()[1] for _ in range(min(most, len(self._box)))]
        await self._ask(now(), self._size // 2)
        return taken

    async def close(self) -> None:
        """Ask for no more, and hand back what nobody has taken."""
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            # Draining also fetches what is on its way, so that it can be handed back with the rest.
            if self._link.is_connected:
                await attempt(subscription.drain())  # type: ignore[no-untyped-call]  # nats-py leaves out its "-> None"
            else:
                await attempt(subscription.unsubscribe())
        left, self._box = [raw for _, raw in self._box], deque()
        await give_back(left)

    async def _ask(self, now: float, fewer_than: int) -> None:
        """Ask for a full box unless that has been done, or enough is there."""
        if self._coming > 0 and now - self._heard_at > PATIENCE_SECONDS:
            self._coming = 0
        if self._refused:
            self._refused = False
            await asyncio.sleep(REFUSED_PAUSE_SECONDS)
        if self._coming <= 0 and len(self._box) < max(fewer_than, 1):
            self._coming, self._heard_at = self._size - len(self._box), now
            request = {
                "batch": self._coming,
                "expires": int(EXPIRES_SECONDS * SECOND),
                "idle_heartbeat": int(HEARTBEAT_SECONDS * SECOND),
            }
            asked = self._link.publish(self._subject, json.dumps(request).encode(), self._inbox)
            if isinstance(await attempt(asked), Failure):  # not connected at the moment
                self._coming = 0

    async def _put(self, message: Msg) -> None:
        now = self._heard_at = asyncio.get_running_loop().time()
        status = (message.headers or {}).get("Status") if not message.data else None
        if status is None:
            self._box.append((now, message))
            self._coming -= 1
            if len(self._box) >= self._wanted or len(self._box) == 1:
                self._arrived.set()
        elif status != _HEARTBEAT:
            self._coming = 0
            self._refused = status not in _ENDED
            self._arrived.set()

    def _throw_away_stale(self, now: float) -> None:
        while self._box and now - self._box[0][0] > STALE_SECONDS:
            self._box.popleft()


async def give_back(messages: Iterable[Msg]) -> None:
    """Let others have at once what has not been settled. Without the broker it comes again by itself, later."""
    for raw in messages:
        if not raw.is_acked and isinstance(await attempt(raw.nak()), Failure):
            return
