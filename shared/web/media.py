"""Photos and videos for one page or one person: streamed, in ranges, and harmless to the browser."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, get_args

from fastapi import Header, Response
from fastapi.responses import StreamingResponse

from shared.events import Media, MediaType
from shared.http.models import refused
from shared.http.problems import Problem
from shared.storage.media import CLEAN, MediaStore

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Disposition": "inline",
    "Cache-Control": "private, max-age=3600, immutable",
    "Accept-Ranges": "bytes",
}
Range = Annotated[str | None, Header(alias="Range", description="A part of it, as `bytes=0-1023`.")]
"""The parameter of a route that gives out `clean_media`."""
_CONTENT: Final[Mapping[str, Any]] = {
    kind: {"schema": {"type": "string", "format": "binary"}} for kind in get_args(MediaType)
}
MEDIA_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "It, whole.", "content": _CONTENT},
    206: {"description": "The part of it that `Range` asked for.", "content": _CONTENT},
    **refused(416),
}
"""For the `responses` of a route that gives out `clean_media`."""


def span(header: str | None, size: int) -> tuple[int, int] | None:
    """The bytes asked for, from and until before; nothing for all. Raises 416 `range` when there are none such."""
    match = _RANGE.fullmatch(header or "")
    if match is None or match.group() == "bytes=-":
        return None
    first, last = match.groups()
    start, end = (int(first), int(last) + 1 if last else size) if first else (size - int(last), size)
    start, end = max(0, start), min(end, size)
    if start >= end:
        text = f"This has {size} bytes; ask for a part of them."
        raise Problem(416, "range", text, headers={"Content-Range": f"bytes */{size}"})
    return start, end


async def clean_media(store: MediaStore, media: Media, range_header: str | None) -> Response:
    """The media, or the part of it that was asked for. Raises 404 `not_found` when the store has it no more."""
    path = f"{CLEAN}{media.sha256}"
    size = await store.size(path)
    if size is None:
        raise Problem(404, "not_found", "This photo or video is no longer kept.")
    part = span(range_header, size)
    start, end = part or (0, size)
    headers = {**_HEADERS, "Content-Length": str(end - start), "ETag": f'"{media.sha256}"'}
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    body = store.stream(path, start=start, end=end)
    return StreamingResponse(body, 206 if part else 200, headers=headers, media_type=media.type)
