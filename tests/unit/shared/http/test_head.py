"""HEAD is answered wherever GET is: the same headers, no body."""

import httpx
from fastapi import FastAPI, Request, Response

from shared.http.head import HeadAsGet, asked_method


def application() -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    app.add_middleware(HeadAsGet)

    @app.get("/page")
    async def page(request: Request) -> dict[str, str]:
        return {"asked": asked_method(request)}

    @app.post("/form")
    async def form(request: Request) -> dict[str, str]:
        return {"asked": asked_method(request)}

    @app.get("/upload")
    async def upload() -> dict[str, str]:
        return {}

    @app.head("/upload")
    async def progress() -> Response:
        return Response(headers={"Upload-Offset": "7"})

    return app


async def test_the_headers_of_a_get_come_without_its_body() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application()), base_url="http://here"
    ) as client:
        got, head = await client.get("/page"), await client.head("/page")

    assert got.json() == {"asked": "GET"}
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert int(head.headers["content-length"]) == len('{"asked":"HEAD"}')


async def test_what_cannot_be_got_has_no_head_and_nothing_leads_to_another_address() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application()), base_url="http://here"
    ) as client:
        answers = [await client.head("/form"), await client.head("/nowhere"), await client.get("/page/")]

    assert [answer.status_code for answer in answers] == [405, 404, 404]


async def test_who_answers_head_in_a_way_of_their_own_is_asked() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application()), base_url="http://here"
    ) as client:
        head = await client.head("/upload")

    assert (head.status_code, head.headers["upload-offset"]) == (200, "7")
