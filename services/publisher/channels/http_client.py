"""How a channel's adapter speaks HTTP: one attempt, bounded in time, and an honest word about its outcome.

No redirects, no retries, no reuse of idle connections (one that the other side has quietly closed would turn
a request that never arrived into an unknown outcome). Failures become the port's outcomes here, by one rule:
only what provably never left is `NotSent`. A channel's secrets may stand in its addresses, so no address and
no text of an exception leaves this module, and what a channel answers is scrubbed before anybody reads it.
"""

import asyncio
import json
import logging
import re
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Literal

import httpx
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind

from services.publisher.channels.multipart import MediaLostError
from services.publisher.channels.port import NotSent, Unknown

Call = Literal["look", "change", "upload"]
"""What a request does on the channel: it only asks, it shows or removes something, or it carries files."""
LONGEST_WAIT = 86_400.0
"""Seconds; whoever asks for more is asked again after a day."""
LONGEST_UPLOAD = 60.0
"""Seconds; a channel's options may say less."""
LARGEST_ANSWER = 1 << 20
"""Bytes of an answer that are read; no channel says anything useful after that."""
REQUEST_TIMEOUT, CONFLICT, TOO_EARLY, TOO_MANY = 408, 409, 425, 429
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
_TELLS_NOTHING = frozenset({REQUEST_TIMEOUT, TOO_EARLY})


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """What a channel answered. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """A 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the 2xx class

    @property
    def ambiguous(self) -> bool:
        """Whether the status leaves open if the request was carried out: redirects, 408, 425 and 5xx."""
        return not self.ok and (not 400 <= self.status < 500 or self.status in _TELLS_NOTHING)  # noqa: PLR2004

    def json(self) -> Any:
        """The body as JSON; `None` when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks for, as a number or as a date; `None` without a usable one."""
    value = headers.get("retry-after", "").strip()
    parts = [part.strip() for part in value.split(",")]
    if all(_SECONDS.fullmatch(part) for part in parts):  # sent twice, it is one text with a comma
        return max(within_reason(float(part)) or 0.0 for part in parts)
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return within_reason(max(0.0, (moment - now).total_seconds()))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def within_reason(asked: object) -> float | None:
    """Seconds that a channel asks us to wait, never longer than `LONGEST_WAIT`; `None` for what is no such number."""
    if isinstance(asked, bool) or not isinstance(asked, int | float) or not asked >= 0:
        return None
    return float(min(asked, LONGEST_WAIT))


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds from the start of a request to the last byte of its answer, by what it does, and for connecting alone.

    The worker gives up later than the longest of them, and a delivery's lease ends later still.
    """

    connect: float = 3.0
    look: float = 10.0
    change: float = 20.0
    upload: float = LONGEST_UPLOAD

    def of(self, kind: Call) -> float:
        """For a request of this kind."""
        seconds: float = getattr(self, kind)
        return seconds


@cache
def trusted() -> ssl.SSLContext:
    """What certificates are checked against: one for all channels, since each takes a megabyte of memory."""
    return httpx.create_ssl_context(trust_env=False)


class Wire:
    """One channel's way out."""

    def __init__(
        self,
        channel: str,
        *,
        secrets: Sequence[str] = (),
        agent: str = "konullu",
        timeouts: Timeouts = Timeouts(),
    ) -> None:
        for chatty in ("httpx", "httpcore"):  # they log each request's address, and a token may stand in it
            logging.getLogger(chatty).setLevel(logging.WARNING)
        self._channel = channel
        self._secrets = tuple(sorted((secret for secret in secrets if secret), key=len, reverse=True))
        self._timeouts = timeouts
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=timeouts.connect),
            limits=httpx.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
            verify=trusted(),
            headers={"user-agent": agent},
        )

    async def close(self) -> None:
        """Let go of sockets."""
        await self._client.aclose()

    def scrub(self, text: str) -> str:
        """`text` without the channel's secrets, short enough to be kept."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[:300]

    async def send(
        self,
        method: str,
        url: str,
        *,
        call: str,
        kind: Call = "change",
        headers: Mapping[str, str] | None = None,
        content: bytes | AsyncIterable[bytes] | None = None,
    ) -> WireAnswer | NotSent | Unknown:
        """One request, once. `call` names it for people and traces, where the address must not appear.

        `kind` says how long its answer is waited for.
        """
        host = httpx.URL(url).host
        tracer = trace.get_tracer("konullu.publisher")
        with tracer.start_as_current_span(
            f"{self._channel} {call}",
            kind=SpanKind.CLIENT,
            record_exception=False,
            set_status_on_exception=False,
            attributes={
                "http.request.method": method,
                "server.address": host,
                "konullu.channel": self._channel,
            },
        ) as span:
            sent = dict(headers or {})
            propagate.inject(sent)
            request = self._client.build_request(method, url, headers=sent, content=content)
            outcome = await self._attempt(request, f"{call} at {host}", self._timeouts.of(kind))
            status = outcome.status if isinstance(outcome, WireAnswer) else outcome.code
            span.set_attribute("http.response.status_code", status)
            return outcome

    async def reach(self, url: str) -> NotSent | None:
        """Open a connection and close it again, without a request; why that failed, if it did."""
        address = httpx.URL(url)
        secure = address.scheme == "https"
        port = address.port or (443 if secure else 80)
        try:
            async with asyncio.timeout(self._timeouts.connect):
                _, writer = await asyncio.open_connection(address.host, port, ssl=secure or None)
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError) as error:
            return NotSent("unreachable", f"{address.host}: no connection ({type(error).__name__})")
        return None

    async def _attempt(
        self, request: httpx.Request, what: str, seconds: float
    ) -> WireAnswer | NotSent | Unknown:
        try:
            async with asyncio.timeout(seconds), self._opened(request) as response:
                body = await _limited(response)
                return WireAnswer(response.status_code, dict(response.headers), body)
        except MediaLostError as error:
            return NotSent("media_unavailable", str(error))
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
            httpx.UnsupportedProtocol,
        ) as error:
            return NotSent("unreachable", f"{what}: no connection ({type(error).__name__})")
        except TimeoutError:
            return Unknown("timeout", f"{what}: no answer within {seconds:g} s")
        except httpx.TimeoutException as error:
            return Unknown("timeout", f"{what}: no answer in time ({type(error).__name__})")
        except httpx.HTTPError as error:
            return Unknown("broken_connection", f"{what}: the connection broke ({type(error).__name__})")

    @asynccontextmanager
    async def _opened(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        response = await self._client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()


async def _limited(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= LARGEST_ANSWER:
            break
    return bytes(body[:LARGEST_ANSWER])
