"""Partners' webhooks, by the Standard Webhooks convention.

The id is derived from the delivery and what is told about it, and the receiver shows an id once: so an event
may be sent again under its id until the receiver has confirmed it, and that is how an unknown outcome is
settled. Signatures are made with every secret that is valid, so that a receiver can change its secret without
losing a message.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from pydantic import SecretStr

from services.publisher.channels.http_client import TOO_MANY, Wire, WireAnswer, retry_after
from services.publisher.channels.port import (
    Absent,
    Capabilities,
    ChannelHealth,
    NotSent,
    Outcome,
    Post,
    Posted,
    Preparation,
    Prepared,
    Rejected,
    Removed,
    Residue,
    Sample,
    Unknown,
)
from shared.events import as_utc

CAPABILITIES = Capabilities(
    lookup=False, idempotent=True, read_back=False, remove=True, sample=False, prepares=False, ai_field=True
)
EventType = Literal["submission.published", "submission.updated", "submission.removed"]
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, METHOD_NOT_ALLOWED, GONE = 401, 403, 404, 405, 410
_OF_THE_RECEIVER = frozenset({UNAUTHORIZED, FORBIDDEN, NOT_FOUND, METHOD_NOT_ALLOWED, GONE})
_PREFIX = "whsec_"


def keys_in(secret: str) -> tuple[bytes, ...]:
    """The keys in a credential: one `whsec_…`, or two with a space between while the receiver changes over.

    Raises `ValueError` with a sentence when one is no such secret.
    """
    keys = []
    for part in secret.split():
        try:
            key = base64.b64decode(f"{part.removeprefix(_PREFIX)}==", validate=False)
        except binascii.Error:
            key = b""
        if not part.startswith(_PREFIX) or not key:
            raise ValueError("a webhook's secret is whsec_ and base64, as the receiver's settings show it")
        keys.append(key)
    if not keys:
        raise ValueError("a webhook needs a secret")
    return tuple(keys)


def event_type(post: Post) -> EventType:
    """What a delivery tells its receiver: something new, or something in the place of what it has."""
    return "submission.updated" if post.previous_remote_id else "submission.published"


def message_id(delivery_id: str, event: EventType, again: int = 0) -> str:
    """The `webhook-id`: the same for every attempt to tell the same thing.

    `again` tells apart what was told, taken back, and is told anew.
    """
    name = f"urn:konullu:delivery:{delivery_id}:{event}" + (f":{again}" if again else "")
    return f"msg_{uuid5(NAMESPACE_URL, name).hex}"


def payload(post: Post, event: EventType) -> bytes:
    """The body: the same bytes for every attempt."""
    data: dict[str, Any] = post.snapshot.model_dump(mode="json")
    data |= {"delivery_id": post.delivery_id, "short_link": post.short_link, "page_url": post.page_url}
    body = {"type": event, "timestamp": as_utc(post.planned_at), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def signatures(keys: Sequence[bytes], identity: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature`: one `v1,…` per key, with a space between."""
    signed = f"{identity}.{timestamp}.".encode() + body
    made = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return " ".join(f"v1,{signature}" for signature in made)


class Webhook:
    """One partner's receiver."""

    kind = "webhook"

    def __init__(
        self,
        channel_id: str,
        *,
        base_url: str,
        secret: SecretStr,
        wire: Wire | None = None,
        capabilities: Capabilities = CAPABILITIES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Raises `ValueError` for a secret that is none."""
        self.id, self.capabilities = channel_id, capabilities
        self._url = base_url
        self._keys = keys_in(secret.get_secret_value())
        self._wire = wire or Wire(channel_id, secrets=secret.get_secret_value().split())
        self._now = now
        self._refused: str | None = None
        """What the receiver last refused us with, until it takes something again."""

    async def prepare(self, post: Post, so_far: Prepared) -> Preparation:  # noqa: ARG002
        """There is nothing to prepare."""
        return {}

    async def commit(self, post: Post, prepared: Prepared) -> Outcome:  # noqa: ARG002
        """Tell the receiver. Telling it again under the same id changes nothing there."""
        event = event_type(post)
        answer = await self._tell(post, event)
        if not isinstance(answer, WireAnswer):
            return answer
        if answer.ok:
            return Posted(message_id(post.delivery_id, event, post.round))
        if answer.status == TOO_MANY:
            return NotSent(
                "rate_limited", "the receiver asks us to wait", retry_after(answer.headers, self._now())
            )
        if answer.ambiguous:
            return Unknown(f"http_{answer.status}", f"the receiver answered {answer.status}")
        scope: Literal["post", "channel"] = "channel" if answer.status in _OF_THE_RECEIVER else "post"
        return Rejected(f"http_{answer.status}", self._words(answer), scope)

    async def reconcile(self, post: Post, prepared: Prepared) -> Posted | Absent | Unknown:  # noqa: ARG002
        """A receiver cannot be asked; an unknown outcome is settled by committing again."""
        return Unknown(
            "no_lookup", "a webhook's receiver cannot be asked; the message is sent again under its id"
        )

    async def read_back(self, post: Post, remote_id: str) -> Posted | Absent | Unknown:  # noqa: ARG002
        """What a receiver shows cannot be read."""
        return Unknown("no_read_back", "a webhook's receiver cannot be read")

    async def remove(self, post: Post, remote_id: str) -> Removed | Residue | NotSent | Unknown:  # noqa: ARG002
        """Tell the receiver to take it away. Its confirmation is the proof."""
        event: EventType = "submission.removed"
        answer = await self._tell(post, event)
        if not isinstance(answer, WireAnswer):
            return answer
        if answer.ok:
            return Removed(
                f"{message_id(post.delivery_id, event, post.round)} ({event}) was answered with {answer.status}"
            )
        if answer.status == TOO_MANY:
            return NotSent(
                "rate_limited", "the receiver asks us to wait", retry_after(answer.headers, self._now())
            )
        if answer.ambiguous:
            return Unknown(f"http_{answer.status}", f"the receiver answered {answer.status}")
        return Residue(
            f"the receiver refused the removal: {self._words(answer)}; somebody has to ask the partner"
        )

    async def sample(self, post: Post, remote_id: str) -> Sequence[Sample]:  # noqa: ARG002
        """A receiver reports no figures."""
        return ()

    async def health(self) -> ChannelHealth:
        """Whether a connection can be opened, and the receiver's last answer was no refusal of us.

        A receiver has no call that does nothing, so nothing is asked.
        """
        facts = {"url": self._wire.scrub(self._url)}
        if (trouble := await self._wire.reach(self._url)) is not None:
            return ChannelHealth(ok=False, detail=trouble.detail, facts=facts)
        if self._refused is not None:
            return ChannelHealth(ok=False, detail=f"the receiver refused us: {self._refused}", facts=facts)
        return ChannelHealth(ok=True, facts=facts)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._wire.close()

    async def _tell(self, post: Post, event: EventType) -> WireAnswer | NotSent | Unknown:
        identity, body = message_id(post.delivery_id, event, post.round), payload(post, event)
        timestamp = int(self._now().timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(self._keys, identity, timestamp, body),
        }
        answer = await self._wire.send("POST", self._url, call=event, headers=headers, content=body)
        if isinstance(answer, WireAnswer):
            self._refused = self._words(answer) if answer.status in _OF_THE_RECEIVER else None
        return answer

    def _words(self, answer: WireAnswer) -> str:
        said = answer.body[:200].decode("utf-8", "replace").strip()
        return self._wire.scrub(f"{answer.status} {said}".strip())
