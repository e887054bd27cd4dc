"""What a delivery becomes on Mastodon: one plain status. Pure.

A server counts characters, and every link as 23 of them, however long it is. Photos and videos stay on the website: the
link says so.
"""

import re
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from services.publisher.channels.port import Post
from services.publisher.rendering.text import caption
from shared.text.language_ranges import primary
from shared.text.plain_text import normal

CHARACTERS: Final = 500
"""Of a status, where a server is not set otherwise."""
LINK: Final = 23
"""Characters that any link counts for."""
_URL: Final = re.compile(r"https?://\S+")


def characters(text: str) -> int:
    """How long `text` is for Mastodon."""
    return len(normal(_URL.sub("x" * LINK, text)))


def status_for(post: Post, limit: int = CHARACTERS) -> dict[str, str]:
    """The fields of the status that shows `post`."""
    text = caption(
        post.snapshot, post.short_link, limit=limit, measure=characters, cut=bool(post.snapshot.media)
    )
    return {"status": text.text, "visibility": "public", "language": primary(post.language).lower()}


def idempotency_key(post: Post) -> str:
    """The same for every attempt of a delivery. The server remembers it for an hour."""
    name = f"urn:konullu:delivery:{post.delivery_id}:{post.round}"
    return uuid5(NAMESPACE_URL, name).hex
