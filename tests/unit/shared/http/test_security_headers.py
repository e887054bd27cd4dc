"""What every answer tells browsers, on an app as every service has it."""

import base64
import hashlib
import re

import httpx
import pytest
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi_offline import FastAPIOffline

from shared.http.security_headers import USUAL, SecurityHeaders


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPIOffline()
    app.add_middleware(SecurityHeaders)

    @app.get("/personal")
    async def personal() -> JSONResponse:
        return JSONResponse({"name": "Leyla"})

    @app.get("/public")
    async def public() -> PlainTextResponse:
        return PlainTextResponse(
            "", headers={"Cache-Control": "public", "Content-Security-Policy": "sandbox"}
        )

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.mark.parametrize("path", ["/personal", "/nowhere", "/openapi.json"])
async def test_an_answer_for_programs_is_kept_by_nobody_and_is_no_page(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)

    assert {name: answer.headers[name] for name in USUAL} == USUAL


async def test_what_a_route_says_stands(client: httpx.AsyncClient) -> None:
    answer = await client.get("/public")

    assert answer.headers.get_list("Cache-Control") == ["public"]
    assert answer.headers.get_list("Content-Security-Policy") == ["sandbox"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_documentation_runs_exactly_the_scripts_that_stand_in_it(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    (policy,) = answer.headers.get_list("Content-Security-Policy")
    scripts = re.search(r"script-src ([^;]+)", policy)
    inline = [each for each in re.findall(r"<script\b[^>]*>(.*?)</script>", answer.text, re.DOTALL) if each]

    assert scripts is not None
    assert "unsafe-inline" not in scripts[1]
    assert scripts[1].split() == [
        "'self'",
        *(f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in inline),
    ]
    assert "default-src 'none'" in policy
