"""Problem documents (RFC 9457): one shape for every refusal.

Raise `Problem` anywhere below a route. `type` is stable (`urn:konullu:problem:<code>`), `detail` says what was wrong, with
which value, and how to fix it. No stack trace and no secret ever leaves the process.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.failures import Conflict, Failure, Unavailable, attempt
from shared.observability import refusals
from shared.observability.refusals import refused, route_of
from shared.storage.mongo import is_unavailable

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 5


class ConfigurationError(Exception):
    """The process must not start as it is configured. The text says what is wrong and how to fix it."""


class ProblemResponse(JSONResponse):
    """The answer that carries a problem. What a stranger sent may be quoted in it, also what UTF-8 cannot say."""

    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        """Half a character becomes a question mark."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class Problem(Exception):
    """A refusal. `code` is stable and machine-readable; `extra` becomes members of the document."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status, self.code, self.detail = status, code, detail
        self.headers = dict(headers or {})
        self.extra = extra

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "type": f"urn:konullu:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else self.code,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }

    def response(self) -> JSONResponse:
        """The answer that carries it."""
        return ProblemResponse(
            self.document(),
            status_code=self.status,
            headers={"Cache-Control": "no-store", **self.headers},
        )


def unavailable(what: str) -> Problem:
    """Our own store or bus is away. It may have gone after it had stored what it was asked to."""
    return Problem(
        503,
        "unavailable",
        f"{what} cannot be reached at the moment, so it is not known whether anything was stored. "
        "Please send the same again in a few seconds.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def contended(what: str) -> Problem:
    """Too many changed the same thing at once; nothing was stored."""
    return Problem(
        409,
        "conflict",
        f"Others are changing {what} at the same moment, so nothing was stored. Please send the same again.",
        headers={"Retry-After": "1"},
    )


def invalid(errors: list[Any]) -> Problem:
    """A body or parameter that does not fit its model, told field by field. Values are shown shortened."""
    if any(error["type"] == "json_invalid" for error in errors):
        reason = errors[0].get("ctx", {}).get("error", "")
        return Problem(
            400, "malformed_json", f"The body is not valid JSON ({reason}). Send one JSON object in UTF-8."
        )
    fields = [
        {
            "field": ".".join(str(part) for part in error["loc"] if part != "body") or "body",
            "message": error["msg"],
            "given": repr(error.get("input"))[:80],
        }
        for error in errors
    ]
    first = fields[0]
    more = f" ({len(fields) - 1} more below)" if len(fields) > 1 else ""
    return Problem(
        422,
        "invalid",
        f"{first['field']}: {first['message']}, given {first['given']}{more}. Mend it and send it again.",
        errors=fields,
    )


def unreadable(cause: BaseException | None) -> Problem:
    """A body that the framework gave up on, and why."""
    if isinstance(cause, UnicodeDecodeError):
        text = "The body is not valid UTF-8 text. Send one JSON object in UTF-8."
        return Problem(400, "malformed_body", text)
    # The parser's own bounds: how deep a value may be nested, how many digits a number may have.
    text = "The body is nested too deeply or holds an endless number. Send one plain JSON object in UTF-8."
    return Problem(400, "malformed_json", text)


def install(app: FastAPI, *, service: str = "service") -> None:
    """Make every failure of a route a problem document, and every refusal one that is seen."""
    refusals.begin(service)

    async def problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)  # noqa: S101 - the handler is registered for this type alone
        refused(service, request, error.status, error.code)
        return error.response()

    async def validation(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
        return invalid(list(error.errors())).response()

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - as above
        code = HTTPStatus(error.status_code).name.lower()
        refused(service, request, error.status_code, code)
        if "parsing the body" in str(error.detail):
            return unreadable(error.__cause__).response()
        detail = f"{error.detail}. Check the address and the method against /docs."
        return Problem(error.status_code, code, detail, headers=error.headers).response()

    async def away(_request: Request, error: Exception) -> JSONResponse:
        return unavailable(str(error)).response()

    async def contention(_request: Request, error: Exception) -> JSONResponse:
        return contended(str(error)).response()

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Unavailable, away)
    app.add_exception_handler(Conflict, contention)
    app.add_middleware(_Unexpected)


class _Unexpected:
    """ASGI middleware: what no handler above expected is answered as well, and the connection stays usable.

    A handler registered for `Exception` would be called by Starlette's outermost layer, which raises the failure once
    more after the answer: the server then closes a connection that the gateway keeps for the next person's request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `ASGIApp`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        answer = await attempt(self._app(scope, receive, noting))
        if not isinstance(answer, Failure):
            return
        if begun:  # half an answer cannot be taken back: the broken connection tells that it is not whole
            raise answer.error
        await _answer_to(answer.error, route_of(scope))(scope, receive, send)


def _answer_to(error: Exception, route: str) -> JSONResponse:
    if is_unavailable(error):
        log.warning("store_unavailable", route=route, error=type(error).__name__)
        return unavailable("The store").response()
    log.error("request_failed", route=route, exc_info=error)
    return Problem(
        500,
        "internal",
        "Something went wrong on our side. Nothing you sent is lost if you send it again with the same key.",
    ).response()
