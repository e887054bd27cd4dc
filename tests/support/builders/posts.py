"""Posts to try channels with: neutral texts in several scripts, and pictures drawn on the spot."""

import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from services.publisher.channels.port import Post
from shared.events import AiUse, Attribution, Media, Snapshot
from shared.storage.media import CLEAN, MediaStore
from shared.text.short_codes import short_code

PLANNED = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
SITE = "http://localhost:8400"


def picture(colour: str = "teal", size: tuple[int, int] = (64, 48)) -> bytes:
    """A small JPEG."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


async def stored(
    media: MediaStore, content: bytes | None = None, *, colour: str = "teal", alt: str = "A picture"
) -> Media:
    """A picture as ingest leaves it in the store."""
    content = picture(colour) if content is None else content
    digest = hashlib.sha256(content).hexdigest()
    await media.put(f"{CLEAN}{digest}", content)
    return Media(sha256=digest, type="image/jpeg", bytes=len(content), width=64, height=48, alt=alt)


def snapshot(**changes: Any) -> Snapshot:
    """An approved snapshot; any field may be given."""
    fields: dict[str, Any] = {
        "submission_id": "0d9c5e1e-6c58-4b06-8b9b-2f2f7bb52a10",
        "revision": 1,
        "title": "Şəhər muzeyində xalça sərgisi",
        "body": "Sərgi bu gün açıldı.\n\nGiriş hamı üçün pulsuzdur.",
        "language": "az",
        "country": "AZ",
        "hashtags": ("mədəniyyət", "xalça"),
        "attribution": Attribution(mode="name", text="Leyla Q."),
        "ai": AiUse(),
    }
    return Snapshot(**(fields | changes))


def post(delivery_id: str = "d7k2m4p6q8s2v4x6z2b4d6f8h2", *, channel: str = "tg", **changes: Any) -> Post:
    """A delivery of `snapshot(**changes)`."""
    shown = snapshot(**changes)
    return Post(
        delivery_id=delivery_id,
        channel=channel,
        language=shown.language,
        revision=shown.revision,
        snapshot=shown,
        short_link=f"{SITE}/r/{short_code(delivery_id)}",
        page_url=None,
        planned_at=PLANNED,
    )


def correction(earlier: Post, delivery_id: str, **changes: Any) -> Post:
    """The next revision of `earlier`, as its channel gets it."""
    shown = earlier.snapshot.model_copy(update={"revision": earlier.revision + 1, **changes})
    return replace(
        earlier,
        delivery_id=delivery_id,
        revision=shown.revision,
        snapshot=shown,
        short_link=f"{SITE}/r/{short_code(delivery_id)}",
        previous_remote_id="earlier",
    )
