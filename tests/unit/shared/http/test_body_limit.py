"""The limit of bodies: what is too long is refused before it is read, the rest arrives as it was sent."""

import json
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import quote_plus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.http.body_limit import (
    BYTES_PER_CHARACTER,
    FORM_BYTES,
    JSON_BYTES,
    STREAMED,
    Bodies,
    BodyLimit,
    bytes_for,
)

FORM = "application/x-www-form-urlencoded"
CHARACTERS = 30_000
BODIES = Bodies(texts_at=["/v1/texts"], characters=CHARACTERS, streams_at=["/v1/uploads"])


async def count(request: Request) -> Response:
    return JSONResponse(len(await request.body()))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    paths = ("/v1/claims", "/v1/uploads/one", "/v1/uploadsome", "/v1/texts", "/v1/texts/one")
    app = BodyLimit(
        Starlette(routes=[Route(path, count, methods=["GET", "POST"]) for path in paths]), bodies=BODIES
    )
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
    taken = await http.post(
        "/v1/uploads/one", content=in_pieces(2 * FORM_BYTES), headers={"Content-Type": STREAMED}
    )

    assert taken.json() == 2 * FORM_BYTES


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/uploads/one", FORM),
        ("/v1/uploads/one", "multipart/form-data; boundary=x"),
        ("/v1/uploads/one", "application/json"),
        ("/v1/uploads/one", "application/octet-stream"),
        ("/v1/uploads/one", ""),
        ("/v1/uploadsome", STREAMED),
        ("/v1/claims", STREAMED),
    ],
)
async def test_nothing_but_an_upload_where_uploads_are_taken_has_any_length(
    http: httpx.AsyncClient, path: str, kind: str
) -> None:
    headers = {"Content-Type": kind} if kind else {}

    refused = await http.post(path, content=in_pieces(FORM_BYTES + 1), headers=headers)

    assert refused.status_code == 413


@pytest.mark.parametrize("path", ["/v1/texts", "/v1/texts/one"])
@pytest.mark.parametrize(
    "text",
    ["ş", "Ж", "字", "😀", "\u1f82", unicodedata.normalize("NFD", "뾵"), unicodedata.normalize("NFD", "ᾂ")],
)
@pytest.mark.parametrize(
    "written", [json.dumps, lambda text: json.dumps(text, ensure_ascii=False), quote_plus]
)
async def test_the_longest_texts_fit_in_every_script_however_they_are_written(
    http: httpx.AsyncClient, path: str, text: str, written: Callable[[str], str]
) -> None:
    times = CHARACTERS // len(unicodedata.normalize("NFC", text))
    kind = FORM if written is quote_plus else "application/json"

    taken = await http.post(path, content=written(text * times), headers={"Content-Type": kind})
    refused = await http.post(
        path, content=b"a" * (bytes_for(CHARACTERS) + 1), headers={"Content-Type": kind}
    )

    assert (taken.status_code, refused.status_code) == (200, 413)


def test_no_character_takes_more_bytes_than_are_allowed_for_it() -> None:
    for number in (*range(0xD800), *range(0xE000, 0x110000)):
        decomposed = unicodedata.normalize("NFD", chr(number))
        allowed = BYTES_PER_CHARACTER * len(unicodedata.normalize("NFC", decomposed))
        escaped = "".join(f"\\u{unit:04x}" for unit in units(decomposed))
        assert max(len(escaped), len(quote_plus(decomposed))) <= allowed, hex(number)


def units(text: str) -> Iterator[int]:
    """The numbers by which JSON can escape a text."""
    raw = text.encode("utf-16-be")
    return (int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2))


@given(text=st.text(max_size=50))
def test_a_text_takes_no_more_bytes_than_are_allowed_for_its_normal_form(text: str) -> None:
    allowed = BYTES_PER_CHARACTER * len(unicodedata.normalize("NFC", text))

    assert 6 * len(list(units(text))) <= allowed
    assert len(quote_plus(text)) <= allowed


async def test_a_request_without_a_body_passes(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/claims")).json() == 0
