"""Messages as their service publishes them: signed where their topic wants it."""

from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.bus.consuming import Publisher
from shared.bus.outbox import signature_of
from shared.events import Event, Topic


async def publish_signed(
    publisher: Publisher,
    topic: Topic[Any],
    event: Event | bytes,
    key: Ed25519PrivateKey | None,
    message_id: str | None = None,
) -> int:
    """An event, or whatever stands in its place, signed with `key` if the topic wants it."""
    body = event if isinstance(event, bytes) else event.model_dump_json().encode()
    return await publisher.publish(
        topic.subject,
        body,
        stream=topic.stream,
        message_id=message_id or str(uuid4()),
        headers=signature_of(topic, body, key),
    )
