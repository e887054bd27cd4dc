"""What a delivery becomes on Telegram: one Bot API call. Pure.

Text and captions are counted in UTF-16 units and styled by entities, never by a parse mode, so no character
of a text can break it. Photos and videos beyond the API's sizes, and those after the tenth, stay on the
website: the link says so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from services.publisher.channels.port import Post
from services.publisher.rendering.text import Rendered, caption, utf16_units
from shared.events import Media, Snapshot

TEXT_UNITS = 4096
CAPTION_UNITS = 1024
ALBUM = 10
PHOTO_BYTES = 10_000_000
VIDEO_BYTES = 50_000_000
CALLS_PER_SECOND = 1.0
"""About as often as a bot may write into one chat."""
PHOTO_SIDES = 10_000
"""Most that width and height may add up to, in pixels."""
PHOTO_RATIO = 20


@dataclass(frozen=True, slots=True)
class TelegramUpload:
    """A file that goes with the call, under the form field `name`."""

    name: str
    media: Media


@dataclass(frozen=True, slots=True)
class BotCall:
    """A method with its fields as JSON values, and the files it needs."""

    method: str
    fields: Mapping[str, object]
    uploads: tuple[TelegramUpload, ...] = ()

    def form(self) -> dict[str, str]:
        """The fields as form values: strings as they are, everything else as JSON."""
        return {
            name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in self.fields.items()
        }


def fits(media: Media, video_bytes: int = VIDEO_BYTES) -> bool:
    """Whether Telegram takes this file as a photo or a video."""
    if media.type.startswith("video/"):
        return media.bytes <= video_bytes
    longer, shorter = max(media.width, media.height), min(media.width, media.height)
    return (
        media.bytes <= PHOTO_BYTES
        and media.width + media.height <= PHOTO_SIDES
        and longer <= shorter * PHOTO_RATIO
    )


def shown_media(snapshot: Snapshot, video_bytes: int = VIDEO_BYTES) -> tuple[Media, ...]:
    """The photos and videos that are shown in the chat itself."""
    return tuple(item for item in snapshot.media if fits(item, video_bytes))[:ALBUM]


def messages_of(snapshot: Snapshot, video_bytes: int = VIDEO_BYTES) -> int:
    """How many messages it becomes: an album has one for each photo and video."""
    return max(1, len(shown_media(snapshot, video_bytes)))


def call_for(post: Post, chat: str, *, video_bytes: int = VIDEO_BYTES) -> BotCall:
    """The one call that shows `post` in `chat`."""
    media = shown_media(post.snapshot, video_bytes)
    left_out = len(media) < len(post.snapshot.media)
    limit = CAPTION_UNITS if media else TEXT_UNITS
    text = caption(post.snapshot, post.short_link, limit=limit, measure=utf16_units, cut=left_out)
    uploads = tuple(TelegramUpload(f"file{index}", item) for index, item in enumerate(media))
    base: dict[str, object] = {"chat_id": chat}
    if not uploads:
        return BotCall("sendMessage", base | _text(text, "text", "entities") | _preview(post))
    described = _text(text, "caption", "caption_entities")
    if len(uploads) == 1:
        kind = _kind(uploads[0].media)
        fields = base | {kind: f"attach://{uploads[0].name}"} | _dimensions(uploads[0].media) | described
        return BotCall(f"send{kind.capitalize()}", fields, uploads)
    group = [
        {"type": _kind(upload.media), "media": f"attach://{upload.name}", **_dimensions(upload.media)}
        for upload in uploads
    ]
    group[0] |= described
    return BotCall("sendMediaGroup", base | {"media": group}, uploads)


def _kind(media: Media) -> str:
    return "video" if media.type.startswith("video/") else "photo"


def _dimensions(media: Media) -> dict[str, object]:
    if _kind(media) == "photo":
        return {}
    size: dict[str, object] = {"width": media.width, "height": media.height, "supports_streaming": True}
    return size | ({"duration": round(media.duration)} if media.duration is not None else {})


def _text(text: Rendered, field: str, entities: str) -> dict[str, object]:
    styled = [{"type": span.style, "offset": span.offset, "length": span.length} for span in text.spans]
    return {field: text.text} | ({entities: styled} if styled else {})


def _preview(post: Post) -> dict[str, object]:
    """A preview of the page itself: Telegram would fetch the short link, which would count as a click."""
    shown: dict[str, object] = {"url": post.page_url} if post.page_url else {"is_disabled": True}
    return {"link_preview_options": shown}
