"""A header that can mean one thing only comes once, or the request is refused."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.http.singular_headers import SINGULAR, SingularHeaders


async def taken(request: Request) -> Response:
    return JSONResponse(len(await request.body()))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = SingularHeaders(Starlette(routes=[Route("/", taken, methods=["GET", "POST"])]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        yield client


@pytest.mark.parametrize("name", sorted(SINGULAR - {b"content-length", b"host"}))
@pytest.mark.parametrize("values", [(b"one", b"two"), (b"same", b"same"), (b"", b"one")])
async def test_one_that_comes_twice_is_refused(
    http: httpx.AsyncClient, name: bytes, values: tuple[bytes, bytes]
) -> None:
    once = await http.post("/", headers=[(name, values[1])])
    twice = await http.post("/", headers=[(name, values[0]), (b"X-Other", b"1"), (name.upper(), values[1])])

    assert once.status_code == 200
    assert (twice.status_code, twice.json()["type"]) == (400, "urn:konullu:problem:header_repeated")
    assert name.decode() in twice.json()["detail"]


@pytest.mark.parametrize(
    "name", [b"accept", b"accept-language", b"x-forwarded-for", b"if-none-match", b"via"]
)
async def test_one_that_is_a_list_may_come_in_parts(http: httpx.AsyncClient, name: bytes) -> None:
    assert (await http.get("/", headers=[(name, b"one"), (name, b"two")])).status_code == 200
