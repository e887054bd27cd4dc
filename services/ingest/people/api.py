"""The API of people: joining, recovery, sessions, and the keys by which others check tokens."""

from collections.abc import Sequence
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import APIRouter, Depends, Request, Response

from services.ingest.people.schemas import (
    RecoveryBody,
    SessionAnswer,
    SessionBody,
    VolunteerAnswer,
    VolunteerBody,
)
from services.ingest.people.service import Opened, Sessions
from services.ingest.rate_limits import RateLimits
from shared.http.models import KeySetAnswer, refused
from shared.http.origin import address_of
from shared.identity.tokens import Guard, Principal, csrf_token, end_session, jwks, set_session


def routes(
    sessions: Sessions, guard: Guard, limits: RateLimits, public: Sequence[Ed25519PublicKey]
) -> APIRouter:
    """The routes of people and their sessions."""
    router = APIRouter(tags=["people"])
    asking = Annotated[Principal, Depends(guard.any)]

    @router.post("/v1/volunteers", status_code=201, responses=refused(429))
    async def join(body: VolunteerBody, request: Request) -> VolunteerAnswer:
        """Join as a volunteer. The recovery code is shown this once."""
        await limits.join(address_of(request))
        return _means(await sessions.register(body.newcomer()))

    @router.post("/v1/recovery", responses=refused(401, 429))
    async def recover(body: RecoveryBody, request: Request) -> VolunteerAnswer:
        """Come back with a recovery code, which is then used up: the answer holds the next."""
        await limits.write(address_of(request))
        return _means(await sessions.recover(body.recovery_code, address_of(request)))

    @router.post("/v1/sessions", status_code=201, responses=refused(401, 429))
    async def sign_in(body: SessionBody, request: Request, response: Response) -> SessionAnswer:
        """Open a session in the browser, with a token that belongs to none or a one-time link."""
        await limits.write(address_of(request))
        if body.token is not None:
            opened = await sessions.open_with_token(body.token, address_of(request))
        else:
            opened = await sessions.open_with_link(body.link or "", address_of(request))
        set_session(response, opened.token, opened.principal)
        response.headers["Cache-Control"] = "no-store"
        return SessionAnswer(
            person_id=opened.principal.person_id, role=opened.principal.role, csrf=csrf_token(opened.token)
        )

    @router.delete("/v1/sessions", status_code=204)
    async def sign_out(principal: asking) -> Response:
        """End the session; its token is refused from now on."""
        await sessions.close(principal)
        response = Response(status_code=204)
        end_session(response)
        return response

    @router.delete("/v1/sessions/all", status_code=204)
    async def sign_out_everywhere(principal: asking) -> Response:
        """End every session on every device, and every token; a recovery code stays good."""
        await sessions.close_everywhere(principal)
        response = Response(status_code=204)
        end_session(response)
        return response

    @router.post("/v1/sessions/seen", status_code=204)
    async def seen(_: asking) -> None:
        """The session of this token was used elsewhere; the other services say so. 401 once it has ended."""

    @router.get("/.well-known/jwks.json")
    async def keys(response: Response) -> KeySetAnswer:
        """The public keys of tokens (RFC 7517)."""
        response.headers["Cache-Control"] = "public, max-age=300"
        return KeySetAnswer.model_validate(jwks(*public))

    return router


def _means(opened: Opened) -> VolunteerAnswer:
    return VolunteerAnswer(
        volunteer_id=opened.principal.person_id,
        token=opened.token,
        recovery_code=opened.recovery_code or "",
    )
