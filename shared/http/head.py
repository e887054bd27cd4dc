"""HEAD wherever there is GET: the same headers, no body. Programs that look before they go ask so."""

from fastapi import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ASKED = "asked_method"


class HeadAsGet:
    """ASGI middleware: routes see a GET, the answer goes without its body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; a HEAD as a GET, unless a route has an answer of its own to it."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or _is_routed(scope):
            await self._app(scope, receive, send)
            return

        async def bodiless(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        state = {**scope.get("state", {}), _ASKED: "HEAD"}
        await self._app({**scope, "method": "GET", "state": state}, receive, bodiless)


def _is_routed(scope: Scope) -> bool:
    """Whether a route means HEAD itself, as those of resumable uploads do."""
    return any(route.matches(scope)[0] is Match.FULL for route in scope["app"].routes)


def asked_method(request: Request) -> str:
    """The method that was really asked with: HEAD, where a route sees GET."""
    return str(getattr(request.state, _ASKED, request.method))
