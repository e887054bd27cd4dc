"""The head of the audit, for everybody: who keeps it can show later that nothing before it was rewritten."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.moderation.audit.checkpoints import Checkpoints
from services.moderation.audit.head import ABOUT, Head, HeadRefused
from shared.http.problems import Problem

FRESH_SECONDS = 10


class HeadSignature(BaseModel):
    """An Ed25519 signature by a key of `/.well-known/jwks.json` over the canonical JSON of `about` and the fields."""

    kid: str
    value: str
    """Base64url without padding."""


class AuditHeadAnswer(BaseModel):
    """The newest checkpoint over all audit trails; `konullu audit verify --against` takes it as it is."""

    about: str = Field(examples=[ABOUT])
    number: Annotated[int, Field(ge=1)]
    at: str = Field(description="RFC 3339 in UTC.")
    hash: str = Field(description="SHA-256 of the checkpoint, in hexadecimal.")
    signature: HeadSignature


def routes(checkpoints: Checkpoints) -> APIRouter:
    """The route. It needs no token: a head tells nothing but how many checkpoints there are."""
    router = APIRouter(tags=["audit"])

    @router.get("/v1/audit/head")
    async def head(response: Response) -> AuditHeadAnswer:
        """The newest signed checkpoint. 404 `no_head` before the first."""
        last = await checkpoints.last()
        try:
            found = Head.of(last or {"_id": 0})
        except HeadRefused:
            raise Problem(
                404,
                "no_head",
                "There is no signed checkpoint yet; the first comes with the first submission.",
            ) from None
        response.headers["Cache-Control"] = f"public, max-age={FRESH_SECONDS}"
        return AuditHeadAnswer.model_validate(found.document())

    return router
