"""How much a request may bring: refused before more than that is read, and before anybody asks who sent it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem

JSON_BYTES: Final = 64 * 1024
FORM_BYTES: Final = 512 * 1024
"""A form writes each byte of a letter as three characters."""
FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
STREAMED: Final = "application/offset+octet-stream"
"""The one kind of body that is read piece by piece, by a route that knows whose it is and how long it may be."""
BYTES_PER_CHARACTER: Final = 27
"""The most that one character, counted when normalised, can take in a body: decomposed, and every byte or unit escaped."""
FRAME_BYTES: Final = 32 * 1024
"""What a body holds beside its texts: names of fields, ids, codes."""


def bytes_for(characters: int) -> int:
    """The bytes of a body that can hold texts of so many characters, in any script and however they are written."""
    return FRAME_BYTES + characters * BYTES_PER_CHARACTER


@dataclass(frozen=True, slots=True)
class Bodies:
    """Where a service takes more than `JSON_BYTES` and `FORM_BYTES`. Paths stand for what is below them, too."""

    texts_at: Sequence[str] = ()
    characters: int = 0
    """The characters of the longest texts that a body at `texts_at` may bring."""
    streams_at: Sequence[str] = ()
    """Where a body of the kind `STREAMED` may have any length."""

    def most(self, path: str, kind: str) -> int | None:
        """The bytes that a body of this kind may have at this path; any number without."""
        if kind == STREAMED and _below(path, self.streams_at):
            return None
        most = FORM_BYTES if kind in FORMS else JSON_BYTES
        return max(most, bytes_for(self.characters)) if _below(path, self.texts_at) else most


def _below(path: str, places: Sequence[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


READ_ON: Final = 4 * 1024 * 1024
"""Bytes beyond the limit that are read and dropped before the refusal; as many as the gateway lets through."""


class BodyLimit:
    """ASGI middleware: answers 413 `body_too_large`. A smaller body is read whole before the application is called."""

    def __init__(self, app: ASGIApp, *, bodies: Bodies) -> None:
        self._app, self._bodies = app, bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `ASGIApp`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        kind = headers.get("content-type", "").split(";")[0].strip().lower()
        most = self._bodies.most(scope["path"], kind)
        if most is None:
            await self._app(scope, receive, send)
            return
        announced = headers.get("content-length", "")
        hopeless = announced.isdigit() and int(announced) > most + READ_ON
        first = None if hopeless else await _read(receive, most)
        if first is None:
            await _too_large(most)(scope, receive, send)
            return
        replay = [first]

        async def again() -> Message:
            return replay.pop() if replay else await receive()

        await self._app(scope, again, send)


async def _read(receive: Receive, most: int) -> Message | None:
    """The body as one message, or nothing when it is longer. A connection that broke is told as it is.

    What is too long is read on for a while and dropped: a gateway that is still sending hears no answer.
    """
    body, size = bytearray(), 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return message
        part = message.get("body", b"")
        size += len(part)
        if size <= most:
            body += part
        else:
            body.clear()
        if not message.get("more_body", False):
            return {"type": "http.request", "body": bytes(body), "more_body": False} if size <= most else None
        if size > most + READ_ON:
            return None


def _too_large(most: int) -> ASGIApp:
    return Problem(
        413,
        "body_too_large",
        f"The body has more than {most} bytes. Shorten the text; photos and videos go to /v1/uploads.",
        headers={"Connection": "close"},
        limit=most,
    ).response()
