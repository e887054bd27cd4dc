"""What every answer tells the browser that gets it, unless its route says otherwise."""

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

USUAL: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""An answer for programs is nobody's to keep, and no browser makes a page of it."""
DOCUMENTATION: Final = frozenset({"/docs", "/redoc"})
_INLINE_SCRIPT: Final = re.compile(rb"<script(?:\s[^>]*)?>(.*?)</script>", re.DOTALL)


class SecurityHeaders:
    """ASGI middleware: adds those of `USUAL` that an answer lacks. The documentation of the interface runs scripts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `ASGIApp`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        documentation = scope["path"] in DOCUMENTATION
        held: list[Message] = []

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in USUAL.items():
                    headers.setdefault(name, value)
            if not documentation:
                await send(message)
                return
            held.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                body = b"".join(each.get("body", b"") for each in held)
                MutableHeaders(scope=held[0])["Content-Security-Policy"] = policy_for(body)
                for each in held:
                    await send(each)

        await self._app(scope, receive, dressed)


def policy_for(page: bytes) -> str:
    """The policy of a documentation page: scripts of our own origin, and exactly those that stand in the page."""
    return (
        f"default-src 'none'; script-src 'self' {' '.join(_hashes(_INLINE_SCRIPT.findall(page)))}; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; worker-src blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(scripts: Iterable[bytes]) -> list[str]:
    return [
        f"'sha256-{base64.b64encode(hashlib.sha256(each).digest()).decode()}'" for each in scripts if each
    ]
