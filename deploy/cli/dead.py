"""Messages that could not be handled: listed, looked at, sent again or set aside.

The stream is append-only, so that nobody can make evidence disappear. A message that an operator has dealt with is
settled by a second message, which names its sequence and what was done.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from deploy.cli.stack import CommandError
from shared.bus.consuming import Publisher, connection
from shared.bus.rights import OPERATOR
from shared.bus.streams import DEAD_PREFIX, DEAD_STREAM, SETTLED, dead_subject
from shared.events import BY_SUBJECT
from shared.observability.logs import configure
from shared.settings import Settings, without_secrets

_PATIENCE = 5.0
Outcome = Literal["replayed", "discarded"]


@dataclass(frozen=True)
class DeadMessage:
    """One buried message, with where it came from."""

    sequence: int
    """Its number in the stream of the dead; what the commands take."""
    subject: str
    stream: str
    consumer: str
    reason: str
    dead_at: str
    message_id: str
    lies_at: str
    """The subject it is kept under, which names the service that put it there."""
    body: bytes
    headers: dict[str, str]
    """The original's own, without the broker's and ours."""


class DeadLetters:
    """The stream of the dead, over one connection."""

    def __init__(self, link: Client) -> None:
        self._link = link
        self._publisher = Publisher(link)

    async def open_messages(self) -> list[DeadMessage]:
        """Those that nobody has dealt with, oldest first."""
        stream = self._link.jetstream()
        left = (await stream.stream_info(DEAD_STREAM)).state.messages
        if not left:
            return []
        subscription = await stream.subscribe(f"{DEAD_PREFIX}>", stream=DEAD_STREAM, ordered_consumer=True)
        found: dict[int, DeadMessage] = {}
        settled: set[int] = set()
        while True:
            message = await subscription.next_msg(timeout=5)
            if message.subject == SETTLED:
                settled.add(int((message.headers or {})["Dead-Settles"]))
            else:
                one = _of(message, message.metadata.sequence.stream)
                found[one.sequence] = one
            if not message.metadata.num_pending:
                break
        await subscription.unsubscribe()
        return [one for sequence, one in found.items() if sequence not in settled]

    async def inspect(self, sequence: int) -> DeadMessage:
        """One message, dealt with or not. Raises `CommandError` when there is none of that number."""
        try:
            raw = await self._link.jetstream().get_msg(DEAD_STREAM, sequence)
        except NotFoundError:
            raise CommandError(_unknown(sequence)) from None
        if raw.subject == SETTLED:
            raise CommandError(_unknown(sequence))
        return _described(sequence, raw.subject or "", raw.headers or {}, raw.data or b"")

    async def replay(self, sequence: int) -> DeadMessage:
        """Send it again to where it was: every consumer of its subject sees it, and those that had applied it skip it.

        Raises `CommandError` when the service that put it there does not read what it says it was.
        """
        message = await self._still_open(sequence)
        _require_origin(message)
        await self._publisher.publish(
            message.subject,
            message.body,
            stream=BY_SUBJECT[message.subject].stream,
            message_id=f"replay:{sequence}:{message.message_id}",
            headers=message.headers,
        )
        await self._settle(message, "replayed")
        return message

    async def discard(self, sequence: int) -> DeadMessage:
        """Set it aside for good; it stays readable until the stream forgets it."""
        message = await self._still_open(sequence)
        await self._settle(message, "discarded")
        return message

    async def _still_open(self, sequence: int) -> DeadMessage:
        message = await self.inspect(sequence)
        if sequence not in {one.sequence for one in await self.open_messages()}:
            text = f"{sequence} has been dealt with already"
            raise CommandError(text)
        return message

    async def _settle(self, message: DeadMessage, outcome: Outcome) -> None:
        await self._publisher.publish(
            SETTLED,
            b"",
            stream=DEAD_STREAM,
            message_id=f"settled:{message.sequence}",
            headers={
                "Dead-Settles": str(message.sequence),
                "Dead-Outcome": outcome,
                "Dead-At": datetime.now(UTC).isoformat(),
            },
        )


async def reached(settings: Settings) -> Client:
    """A connection for one command. Raises `CommandError` when the broker is away."""
    configure("konullu", "error")
    try:
        async with asyncio.timeout(_PATIENCE):
            return await connection(settings, name="konullu-dead", user=OPERATOR)
    except TimeoutError:
        addresses = ", ".join(map(without_secrets, settings.nats_urls))
        text = f"the broker at {addresses} does not answer. Is the stack up? `konullu status` tells"
        raise CommandError(text) from None


def _of(message: Msg, sequence: int) -> DeadMessage:
    return _described(sequence, message.subject, message.headers or {}, message.data)


def _require_origin(message: DeadMessage) -> None:
    """Its headers are what somebody wrote; where it lies is what the broker let them."""
    try:
        places = {dead_subject(message.consumer, message.subject), f"{DEAD_PREFIX}{message.subject}"}
    except LookupError:
        places = set()
    if message.lies_at not in places:
        text = (
            f"{message.sequence} says that {message.consumer} gave up a message on {message.subject}, but lies at "
            f"{message.lies_at}: it is not what it says, and is not sent again. Look at it, then discard it"
        )
        raise CommandError(text)


def _described(sequence: int, lies_at: str, headers: dict[str, str], body: bytes) -> DeadMessage:
    original = {key: value for key, value in headers.items() if not key.startswith(("Dead-", "Nats-"))}
    return DeadMessage(
        sequence=sequence,
        subject=headers.get("Dead-Subject", ""),
        stream=headers.get("Dead-Stream", ""),
        consumer=headers.get("Dead-Consumer", ""),
        reason=headers.get("Dead-Reason", ""),
        dead_at=headers.get("Dead-At", ""),
        message_id=headers.get("Dead-Message-Id", ""),
        lies_at=lies_at,
        body=body,
        headers=original,
    )


def _unknown(sequence: int) -> str:
    return f"there is no dead message {sequence}; `konullu dead list` shows those there are"
