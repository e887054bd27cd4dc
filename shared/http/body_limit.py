"""How much a request may bring: refused before more than that is read, and before anybody asks who sent it."""

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem

JSON_BYTES: Final = 64 * 1024
FORM_BYTES: Final = 512 * 1024
"""A form writes each byte of a letter as three characters; the longest text in any script fits."""
FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


class BodyLimit:
    """ASGI middleware: answers 413 `body_too_large`. A smaller body is read whole before the application is called."""

    def __init__(self, app: ASGIApp, *, except_below: Sequence[str] = ()) -> None:
        """`except_below` names paths whose routes take bodies of any length, piece by piece."""
        self._app = app
        self._except_below = tuple(except_below)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `ASGIApp`."""
        if scope["type"] != "http" or any(scope["path"].startswith(path) for path in self._except_below):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        kind = headers.get("content-type", "").split(";")[0].strip().lower()
        most = FORM_BYTES if kind in FORMS else JSON_BYTES
        announced = headers.get("content-length", "")
        first = None if announced.isdigit() and int(announced) > most else await _read(receive, most)
        if first is None:
            await _too_large(most)(scope, receive, send)
            return
        replay = [first]

        async def again() -> Message:
            return replay.pop() if replay else await receive()

        await self._app(scope, again, send)


async def _read(receive: Receive, most: int) -> Message | None:
    """The body as one message, or nothing when it is longer. A connection that broke is told as it is."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return message
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body", False):
            return {"type": "http.request", "body": bytes(body), "more_body": False}


def _too_large(most: int) -> ASGIApp:
    return Problem(
        413,
        "body_too_large",
        f"The body has more than {most} bytes. Shorten the text; photos and videos go to /v1/uploads.",
        headers={"Connection": "close"},
        limit=most,
    ).response()
