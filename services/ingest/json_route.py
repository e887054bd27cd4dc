"""Routes that take JSON: at most 64 KB of it, refused before more than that is read."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from services.ingest.settings import JSON_BYTES
from shared.problems import Problem


class JsonRoute(APIRoute):
    """Raises 413 `body_too_large`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute`."""
        handle = super().get_route_handler()

        async def capped(request: Request) -> Response:
            body = await _read(request)
            replay: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

            async def receive() -> Message:
                return replay.pop() if replay else await request.receive()

            return await handle(Request(request.scope, receive))

        return capped


async def _read(request: Request) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > JSON_BYTES:
        raise _too_large()
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > JSON_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> Problem:
    return Problem(
        413,
        "body_too_large",
        f"The body has more than {JSON_BYTES} bytes. Shorten the text; photos and videos go to /v1/uploads.",
        headers={"Connection": "close"},
        limit=JSON_BYTES,
    )
