"""No value at the edge of its kind, wherever it stands, is answered 5xx or takes the connection from the next request."""

import asyncio
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from shared.identity.tokens import COOKIE, csrf_token
from shared.runtime.service import Process, build_runtime, create_app, wire
from shared.settings import Settings
from tests.support.edges import (
    MOMENTS,
    TEXTS,
    Kept,
    NotServed,
    Operation,
    PageRoute,
    Request,
    operations,
    page_routes,
    raw,
    requests,
)
from tests.support.refused import Cast, Someone, held, item, joined, sent
from tests.support.stack import SERVICES, stack

PROBLEM: Final = "application/problem+json"
KNOWN: Final[Mapping[str, Any]] = {
    "attribution": {"mode": "anonymous"},
    "consent": item()["consent"],
    "claim_token": "nothing.1",
    "countries": ["AZ"],
    "country": "AZ",
    "edits": {"title": "x", "alts": {}},
    "hashtags": ["xalça"],
    "language": "az",
    "languages": ["az"],
    "media": [{"upload_id": "x", "alt": "x"}],
    "outcome": "posted",
    "reasons": ["quality"],
    "verdict": "approve",
    "Tus-Resumable": "1.0.0",
    "Upload-Length": "10",
    "Upload-Offset": "0",
}
"""What fits where the document alone does not tell it, so that a request comes as far as it can."""
FIELDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("title", "body", "name", "recovery_code", "token", "note", "reason", "hashtags", "section"), "x"
    ),
    "language": "az",
    "languages": "az",
    "country": "AZ",
    "verdict": "approve",
    "outcome": "posted",
    "claim_token": "x.1",
    "submission_id": "x",
    "url": "t.me/example/1",
    "publish_at": "2030-01-01T00:00",
    "offset": "0",
    "upload_id": "x",
    "upload_name": "x",
    "alt": "x",
    "next": "/send",
    "confirmed": "yes",
    "terms": "yes",
    "key": "x",
}
"""Of forms that a route reads by itself."""
DRILL: Final = bool(os.environ.get("KONULLU_DRILL"))
STEP: Final = 1 if DRILL else 5
"""Of an operation each so many-th request, from another one on for each operation."""
PAGE_STEP: Final = 1 if DRILL else 11
GATEWAY_STEP: Final = 7 if DRILL else 41


@dataclass
class Edges:
    """A stack, people in it, and things that are there."""

    cast: Cast
    ids: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    """The session opened with a token."""

    def known(self, service: str) -> Mapping[str, Any]:
        """Values that fit, ids of things that are there among them."""
        return {**KNOWN, **self.ids, **({"media": []} if service == "ingest" else {})}

    def bearer(self, service: str) -> dict[str, bytes]:
        """Who may ask a service the most."""
        who = joined(self.cast.stack, "Sevinc") if service == "ingest" else self.cast.editor
        return {"Authorization": who.bearer["Authorization"].encode(), "Idempotency-Key": b"key"}


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edges]:
    async def things(cast: Cast) -> dict[str, str]:
        async with httpx.AsyncClient(base_url=cast.stack.url, timeout=60) as http:
            theirs = await sent(http, cast.author)
            token = await held(http, cast.moderator, theirs)
        return {"submission_id": theirs, "claim_token": token}

    with stack(tmp_path_factory.mktemp("edges")) as started:
        cast = Cast.of(started)
        yield Edges(cast, asyncio.run(things(cast)))


def wrong(kept: Kept, asked: Iterator[Request]) -> list[str]:
    """What was wrong with the answers, for each request."""
    told: list[str] = []
    for request in asked:
        try:
            status, kind, content = kept.ask(request)
        except NotServed as error:
            told.append(f"{request}: {error}")
            continue
        refusal = status >= httpx.codes.BAD_REQUEST and request.method != "HEAD"
        if refusal and kind not in {PROBLEM, "text/html", "text/plain"}:
            told.append(f"{request}: {status} {kind} {content[:200]!r}")
    return told


OPERATIONS: Final = [operation for service in SERVICES for operation in operations(service)]


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_no_operation_breaks_at_an_edge(edges: Edges, operation: Operation) -> None:
    port = edges.cast.stack.port(operation.service)
    asked = requests(operation, edges.known(operation.service), edges.bearer(operation.service))

    first = OPERATIONS.index(operation) % STEP

    with closing(Kept(port, "/livez")) as kept:
        assert wrong(kept, islice(asked, first, None, STEP)) == []


@pytest.mark.parametrize("service", SERVICES)
def test_behind_the_gateway_nobody_pays_for_somebody_elses_edge(edges: Edges, service: str) -> None:
    every = [requests(each, edges.known(service), edges.bearer(service)) for each in operations(service)]
    asked = (
        request for number, request in enumerate(chain.from_iterable(every)) if number % GATEWAY_STEP == 0
    )

    with closing(Kept(edges.cast.stack.base, "/api/metrics/v1/campaign", f"/api/{service}")) as kept:
        assert wrong(kept, (each for each in asked if not each.target.startswith("/.well-known"))) == []


async def served(service: str, home: Path) -> FastAPI:
    """The application of the real wiring, unconnected."""
    settings = Settings.from_env(home=home, mongo="mongodb://127.0.0.1:1", nats="nats://127.0.0.1:1")
    runtime = build_runtime(service, settings)
    parts = import_module(f"services.{service}.app").assemble(runtime)
    wire(runtime, parts)
    app = create_app(Process(runtime, parts))
    await runtime.client.close()
    return app


def session(edges: Edges, who: Someone) -> tuple[tuple[str, bytes], str]:
    """The cookie of a session, and what its forms carry."""
    if who.token in edges.sessions:
        cookie = edges.sessions[who.token]
        return ("Cookie", f"{COOKIE}={cookie}".encode()), csrf_token(cookie)
    opened = httpx.post(
        f"{edges.cast.stack.url}/api/ingest/v1/sessions", json={"token": who.token}, timeout=30
    )
    if opened.status_code == httpx.codes.UNAUTHORIZED and "token_of_session" in opened.text:
        cookie = who.token  # whoever has joined is in a session already
    else:
        assert opened.is_success, opened.text
        cookie = opened.headers["set-cookie"].partition(";")[0].partition("=")[2]
    edges.sessions[who.token] = cookie
    return ("Cookie", f"{COOKIE}={cookie}".encode()), csrf_token(cookie)


def visits(  # noqa: C901 - a table of places, one after the other
    edges: Edges, route: PageRoute, cookie: tuple[str, bytes], csrf: str
) -> Iterator[Request]:
    """A page with a value at the edge in one place of its path, its query or its form after the other."""
    form_kind = ("Content-Type", b"application/x-www-form-urlencoded")

    def request(
        place: str = "", edge: str = "", query: str = "", form: Mapping[str, str] | None = None
    ) -> Request:
        path = route.path
        for whole, name in re.findall(r"({(\w+)(?::path)?})", path):
            value = edge if name == place else edges.ids.get(name, "x")
            path = path.replace(whole, quote(raw(value), safe=""))
        if route.method != "POST":
            return Request(route.method, path + query, (cookie,))
        body = "&".join(
            f"{quote(name)}={quote(raw(value), safe='')}" for name, value in (form or {"csrf": csrf}).items()
        )
        return Request("POST", path + query, (cookie, form_kind), body.encode())

    yield request()
    for edge in (*TEXTS, *MOMENTS):
        for name in re.findall(r"{(\w+)(?::path)?}", route.path):
            yield request(name, edge)
        for name in dict.fromkeys(
            (*route.query, *(("lang", "before", "next") if route.method == "GET" else ()))
        ):
            yield request(query=f"?{quote(name)}={quote(raw(edge), safe='')}")
        if route.method == "POST":
            for name in dict.fromkeys((*route.form, *FIELDS)):
                yield request(form={**FIELDS, "csrf": csrf, name: edge})
    if route.method == "POST":
        broken = (b"", b"%", b"csrf=%ff", b"a=1&" * 1500, b"--x\r\n", b"\xff" * 100)
        for body in broken:
            for kind in (
                b"application/x-www-form-urlencoded",
                b"multipart/form-data; boundary=x",
                b"multipart/form-data",
            ):
                yield Request("POST", request().target, (cookie, ("Content-Type", kind)), body)


@pytest.mark.parametrize("service", SERVICES)
async def test_no_page_breaks_at_an_edge(edges: Edges, service: str, tmp_path: Path) -> None:
    routes = page_routes(await served(service, tmp_path))
    who = joined(edges.cast.stack, "Nigar") if service == "ingest" else edges.cast.editor
    cookie, csrf = session(edges, who)
    port, told = edges.cast.stack.port(service), list[str]()

    for route in routes:
        asked = visits(edges, route, cookie, csrf)
        with closing(Kept(port, "/livez")) as kept:
            told += wrong(kept, (each for number, each in enumerate(asked) if number % PAGE_STEP == 0))

    assert routes
    assert told == []
