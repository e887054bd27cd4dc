"""The limit of bodies: what is too long is refused before it is read, the rest arrives as it was sent."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.http.body_limit import FORM_BYTES, JSON_BYTES, BodyLimit

FORM = "application/x-www-form-urlencoded"


async def count(request: Request) -> Response:
    return JSONResponse(len(await request.body()))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    routes = [Route(path, count, methods=["GET", "POST"]) for path in ("/v1/claims", "/v1/uploads/one")]
    app = BodyLimit(Starlette(routes=routes), except_below=["/v1/uploads"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        yield client


async def in_pieces(whole: int, piece: int = 10_000) -> AsyncIterator[bytes]:
    """A body whose length nobody announced."""
    for start in range(0, whole, piece):
        yield b"a" * min(piece, whole - start)


@pytest.mark.parametrize(("kind", "most"), [("application/json", JSON_BYTES), (FORM, FORM_BYTES)])
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_may_have_so_many_bytes_and_no_more(
    http: httpx.AsyncClient, kind: str, most: int, announced: bool
) -> None:
    def sent(length: int) -> bytes | AsyncIterator[bytes]:
        return b"a" * length if announced else in_pieces(length)

    headers = {"Content-Type": kind}
    taken = await http.post("/v1/claims", content=sent(most), headers=headers)
    refused = await http.post("/v1/claims", content=sent(most + 1), headers=headers)

    assert (taken.status_code, taken.json()) == (200, most)
    assert (refused.status_code, refused.json()["type"]) == (413, "urn:konullu:problem:body_too_large")
    assert refused.headers["content-type"] == "application/problem+json"
    assert str(most) in refused.json()["detail"]


async def test_uploads_may_be_of_any_length(http: httpx.AsyncClient) -> None:
    taken = await http.post("/v1/uploads/one", content=in_pieces(2 * FORM_BYTES))

    assert taken.json() == 2 * FORM_BYTES


async def test_a_request_without_a_body_passes(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/claims")).json() == 0
