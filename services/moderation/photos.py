"""Photos and videos for those who may see the case: streamed, in ranges, and harmless to the browser."""

import re
from dataclasses import dataclass
from typing import Final

from fastapi import Response
from fastapi.responses import StreamingResponse

from services.moderation.cases import Cases
from services.moderation.desk import sees
from shared.identity import Principal
from shared.media import CLEAN, MediaStore
from shared.problems import Problem

RANGE: Final = re.compile(r"^bytes=(\d*)-(\d*)$")
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Disposition": "inline",
    "Cache-Control": "private, max-age=3600, immutable",
    "Accept-Ranges": "bytes",
}


def span(header: str | None, size: int) -> tuple[int, int] | None:
    """The bytes asked for, from and until before; `None` for all. Raises 416 when there are none such."""
    match = RANGE.match(header or "")
    if match is None or match.group() == "bytes=-":
        return None
    first, last = match.groups()
    start, end = (int(first), int(last) + 1 if last else size) if first else (size - int(last), size)
    start, end = max(0, start), min(end, size)
    if start >= end:
        headers = {"Content-Range": f"bytes */{size}"}
        raise Problem(416, "range", f"This has {size} bytes; ask for a part of them.", headers=headers)
    return start, end


@dataclass(frozen=True, slots=True)
class Photos:
    """Gives out clean media."""

    cases: Cases
    store: MediaStore

    async def answer(self, sha256: str, principal: Principal, range_: str | None) -> Response:
        """The media, or the part of it. Raises 404 for what is in no case that this person may see."""
        media = next(
            (
                each
                for case in await self.cases.with_media(sha256)
                if (principal.has("moderator") and sees(principal, case))
                or case.standing.author_id == principal.person_id
                for each in (*case.standing.content.media, *case.sent.media)
                if each.sha256 == sha256
            ),
            None,
        )
        size = None if media is None else await self.store.size(f"{CLEAN}{sha256}")
        if media is None or size is None:
            raise Problem(404, "not_found", "There is no such photo or video in a case that you may see.")
        part = span(range_, size)
        start, end = part or (0, size)
        headers = {**HEADERS, "Content-Length": str(end - start), "ETag": f'"{sha256}"'}
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        return StreamingResponse(
            self.store.stream(f"{CLEAN}{sha256}", start=start, end=end),
            206 if part else 200,
            headers=headers,
            media_type=media.type,
        )
