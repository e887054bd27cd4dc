"""Whoever is turned away is seen: one line and one count, and nothing in either that is secret or without end."""

import ast
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from shared.http import problems
from shared.http.problems import Problem
from shared.identity.tokens import Principal
from shared.observability.refusals import REASONS, TURNED_AWAY

ROOT = Path(__file__).parents[4]
SERVICE = "refusing"


def counted(reason: str) -> float:
    return REGISTRY.get_sample_value("konullu_refusals_total", {"service": SERVICE, "reason": reason}) or 0.0


@pytest.fixture
async def client() -> httpx.AsyncClient:
    app = FastAPI()
    problems.install(app, service=SERVICE)

    @app.api_route("/v1/things/{secret}", methods=["GET", "POST"])
    async def refuse(secret: str, request: Request, status: int, code: str) -> None:
        if request.method == "POST":
            request.state.principal = Principal("p-1", "moderator")
        raise Problem(status, code, f"No: {secret}")

    @app.get("/framework")
    async def framework() -> None:
        raise HTTPException(403)

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")


@pytest.mark.parametrize("status", sorted(TURNED_AWAY))
@pytest.mark.parametrize("code", ["csrf", "token_missing", "too_many_requests"])
async def test_a_refusal_is_one_line_and_one_count(client: httpx.AsyncClient, status: int, code: str) -> None:
    before = counted(code)

    with capture_logs() as lines:
        await client.post(
            f"/v1/things/s3cr3t?status={status}&code={code}&link=s3cr3t", headers={"Cookie": "s3cr3t"}
        )

    assert counted(code) == before + 1
    assert lines == [
        {
            "event": "refused",
            "log_level": "warning",
            "by": SERVICE,
            "reason": code,
            "status": status,
            "method": "POST",
            "route": "/v1/things/{secret}",
            "person_id": "p-1",
        }
    ]


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422, 503])
async def test_what_speaks_of_the_thing_asked_for_is_no_refusal(
    client: httpx.AsyncClient, status: int
) -> None:
    with capture_logs() as lines:
        await client.get(f"/v1/things/x?status={status}&code=csrf")

    assert lines == []


async def test_a_reason_that_nobody_knows_makes_no_series(client: httpx.AsyncClient) -> None:
    before = counted("other")

    for number in range(3):
        await client.get(f"/v1/things/x?status=403&code=invented_{number}")
    await client.get("/framework")

    # What the framework itself forbids is called `forbidden`, as a missing role is.
    assert counted("other") == before + 3
    assert not [each for each in _reasons_shown() if each.startswith("invented")]


def test_every_reason_is_there_from_the_start() -> None:
    problems.install(FastAPI(), service="fresh")

    assert _reasons_shown("fresh") == REASONS


def _reasons_shown(service: str = SERVICE) -> set[str]:
    return {
        sample.labels["reason"]
        for metric in REGISTRY.collect()
        if metric.name == "konullu_refusals"
        for sample in metric.samples
        if sample.labels["service"] == service and sample.name.endswith("_total")
    }


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for top in ("services", "shared"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield node.func.id, node


def test_every_refusal_in_the_code_has_its_reason_in_the_list() -> None:
    given = {
        call.args[1].value
        for name, call in _calls()
        if name == "Problem" and len(call.args) > 1
        and isinstance(call.args[0], ast.Constant) and call.args[0].value in TURNED_AWAY
        and isinstance(call.args[1], ast.Constant)
    }  # fmt: skip

    assert {"csrf", "forbidden", "out_of_scope", "too_many_requests"} <= given
    assert given <= REASONS
