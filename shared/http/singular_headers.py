"""Headers that can mean one thing only: a request that brings one of them twice is refused.

Each layer would believe another one of the two: the gateway the first, the framework the last.
"""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http.problems import Problem

SINGULAR: Final = frozenset(
    name.encode()
    for name in (
        "authorization",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "idempotency-key",
        "if-modified-since",
        "if-range",
        "origin",
        "range",
        "traceparent",
        "tus-resumable",
        "upload-checksum",
        "upload-length",
        "upload-metadata",
        "upload-offset",
        "x-csrf-token",
        "x-http-method-override",
    )
)
"""Those that any route, or the framework for it, reads as one value."""


class SingularHeaders:
    """ASGI middleware: answers 400 `header_repeated`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `ASGIApp`."""
        if scope["type"] == "http":
            seen = set()
            for name, _ in scope["headers"]:
                if name in seen:
                    await _repeated(name.decode("latin-1"))(scope, receive, send)
                    return
                if name in SINGULAR:
                    seen.add(name)
        await self._app(scope, receive, send)


def _repeated(name: str) -> ASGIApp:
    return Problem(
        400,
        "header_repeated",
        f"The header {name} is there more than once, so it is not clear which one is meant. Send it once.",
        header=name,
    ).response()
