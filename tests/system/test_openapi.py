"""The OpenAPI documents tell every answer that comes: schemathesis asks each operation of the four real services."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks

from tests.support.refused import Cast, held, joined, sent
from tests.support.stack import SERVICES, stack

DOCS: Final = Path(__file__).parents[2] / "docs" / "openapi"
EXAMPLES: Final = 20
SEED: Final = 2026
CHECKS: Final = (
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)
ENDING: Final = (("ingest", "DELETE", "/v1/sessions"),)
"""Ends the token it is asked with, so only those without one ask."""
Operation = tuple[str, str, str]
"""A service, a method and a path."""


def operations() -> list[Operation]:
    return [
        (service, method.upper(), path)
        for service in SERVICES
        for path, methods in json.loads((DOCS / f"{service}.json").read_text())["paths"].items()
        for method in methods
    ]


@schemathesis.serializer("application/offset+octet-stream")
def as_it_is(_: object, value: object) -> bytes:
    """A body that is bytes and no text."""
    return value if isinstance(value, bytes) else str(value).encode()


@dataclass
class Asked:
    """A stack to ask, and ids of things that are there."""

    cast: Cast
    ids: Mapping[str, str]

    def identities(self, service: str) -> list[dict[str, str]]:
        """Who may do most, who may do less, nobody, and somebody whose token is none."""
        volunteer = (
            self.cast.author.bearer if service == "ingest" else joined(self.cast.stack, "Nərmin").bearer
        )
        right = volunteer if service == "ingest" else self.cast.editor.bearer
        return [right, right, right, volunteer, {}, {"Authorization": "Bearer none"}]


async def things(cast: Cast) -> dict[str, str]:
    """Ids of things that are there."""
    async with httpx.AsyncClient(base_url=cast.stack.url, timeout=60) as http:
        theirs = await sent(http, cast.author)
        token = await held(http, cast.editor, theirs)
    return {"submission_id": theirs, "claim_token": token}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with stack(tmp_path_factory.mktemp("openapi")) as started:
        cast = Cast.of(started)
        yield Asked(cast, asyncio.run(things(cast)))


@pytest.mark.parametrize("operation", operations(), ids=" ".join)
def test_no_answer_comes_that_the_document_does_not_tell(asked: Asked, operation: Operation) -> None:
    service, method, path = operation
    address = f"http://127.0.0.1:{asked.cast.stack.port(service)}"
    schema = schemathesis.openapi.from_path(DOCS / f"{service}.json")
    identities = [each for each in asked.identities(service) if operation not in ENDING or not each]

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=schema[path][method].as_strategy(),
        who=st.sampled_from(identities),
        known=st.booleans(),
    )
    def ask(case: Any, who: dict[str, str], known: bool) -> None:
        if known:
            case.path_parameters.update(
                {name: asked.ids[name] for name in case.path_parameters if name in asked.ids}
            )
        answer = case.call(base_url=address, headers=who, allow_redirects=False)
        case.validate_response(answer, checks=list(CHECKS))

    ask()
