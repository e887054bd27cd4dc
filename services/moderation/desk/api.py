"""The HTTP interface of moderation."""

from typing import Annotated, Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from services.moderation.desk.forms import (
    CaseRecallRequest,
    ClaimRequest,
    DecisionRequest,
    ManyRecallsRequest,
    ReopenRequest,
    Tag,
)
from services.moderation.desk.media import Photos
from services.moderation.desk.schemas import case_json, claim_json, slot_json
from services.moderation.desk.service import ManyRecalls, ReviewService, reader_of
from shared.events import Country, Sha256, as_utc
from shared.http.cursors import Cursor
from shared.identity.tokens import Guard, Principal, jwks

Json = dict[str, Any]
Risk = Literal["low", "medium", "high"]
Waiting = Literal["screened", "in_review"]


def routes(desk: ReviewService, photos: Photos, guard: Guard, *keys: Ed25519PublicKey) -> APIRouter:  # noqa: C901 — a table of routes
    """The routes."""
    router = APIRouter(tags=["moderation"])
    Moderator = Annotated[Principal, Depends(guard.require("moderator"))]  # noqa: N806 — a type
    Person = Annotated[Principal, Depends(guard.any)]  # noqa: N806 — a type

    @router.get("/.well-known/jwks.json")
    async def public_keys() -> Json:
        """The keys that decisions are signed with."""
        return jwks(*keys)

    @router.get("/v1/queue")
    async def queue(
        who: Moderator,
        language: Annotated[list[Tag] | None, Query()] = None,
        country: Annotated[list[Country] | None, Query()] = None,
        risk: Risk | None = None,
        state: Waiting | None = None,
        cursor: Cursor | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Json:
        """What waits, within your scopes."""
        reader = reader_of(who, language, country)
        found, after = await desk.page(reader, risk=risk, state=state, cursor=cursor, limit=limit)
        now = await desk.clock.now()
        return {
            "items": [slot_json(slot, who.person_id, desk.policy, now) for slot in found],
            "next": after,
        }

    @router.get("/v1/claims")
    async def mine(who: Moderator) -> Json:
        """What you hold."""
        held = await desk.claims.mine(who.person_id)
        return {"items": [claim_json(claim, desk.policy) for claim in held], "next": None}

    @router.post("/v1/claims", status_code=201, responses={204: {"description": "Nothing fits."}})
    async def claim(who: Moderator, wanted: ClaimRequest | None = None) -> Response:
        """Take the case that has waited longest into your hands, for five minutes."""
        asked = wanted or ClaimRequest()
        given = await desk.claim(reader_of(who, asked.languages, asked.countries), asked.submission_id)
        if given is None:
            return Response(status_code=204)
        return JSONResponse(claim_json(given, desk.policy), 201, headers={"Cache-Control": "no-store"})

    @router.put("/v1/claims/{claim_token}")
    async def renew(claim_token: str, who: Moderator) -> Json:
        """Hold on to it for five more minutes."""
        return {"lease_expires_at": as_utc(await desk.renew(claim_token, who))}

    @router.delete("/v1/claims/{claim_token}", status_code=204)
    async def release(claim_token: str, who: Moderator) -> None:
        """Give it back, to its old place in the queue."""
        await desk.claims.release(claim_token, who.person_id)

    @router.post("/v1/decisions")
    async def decide(body: DecisionRequest, who: Moderator) -> Json:
        """Decide. The same request again gets the same answer."""
        decided = await desk.decide(body.claim_token, body.decision, who, fingerprint=body.fingerprint)
        return {"decision_id": decided.decision_id, "state": decided.state}

    @router.get("/v1/cases")
    async def decided(
        who: Moderator,
        before: Cursor | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> Json:
        """The newest decided cases within your scopes; go on with `next` as `before`."""
        found, after = await desk.decided(who, before=before, limit=limit)
        now = await desk.clock.now()
        return {
            "items": [case_json(case, desk.policy, who.person_id, now) for case in found],
            "next": after,
        }

    @router.get("/v1/cases/{submission_id}")
    async def case(submission_id: str, who: Moderator) -> Json:
        """A case with its whole past."""
        found = await desk.case(submission_id, who)
        return case_json(found, desk.policy, who.person_id, await desk.clock.now())

    @router.post("/v1/cases/{submission_id}/recall", status_code=202)
    async def recall(submission_id: str, body: CaseRecallRequest, who: Moderator) -> Json:
        """Take an approval back: everything published of it is removed."""
        found = await desk.recall(submission_id, who, body.reason)
        return {"submission_id": found.id, "state": found.standing.state}

    @router.get("/v1/recalls")
    async def recalls(who: Moderator) -> Json:
        """What somebody wants taken back and waits for a second person, within your scopes."""
        found, now = await desk.recalls_asked(who), await desk.clock.now()
        return {"items": [case_json(case, desk.policy, who.person_id, now) for case in found], "next": None}

    @router.post("/v1/recalls", status_code=202)
    async def recall_many(body: ManyRecallsRequest, who: Moderator) -> Json:
        """Take several back; what is more than one person may within an hour waits for a second one to send it too."""
        return many_json(await desk.recall_all(body.submission_ids, who, body.reason))

    @router.post("/v1/recalls/undo", status_code=202)
    async def keep_many(body: ManyRecallsRequest, who: Moderator) -> Json:
        """Keep what waits for a second person after all. Whoever asked may, and every editor."""
        return many_json(await desk.keep_all(body.submission_ids, who, body.reason))

    @router.post("/v1/cases/{submission_id}/reopen", status_code=202)
    async def reopen(submission_id: str, body: ReopenRequest, who: Moderator) -> Json:
        """Let an approved case wait again; what is approved of it then takes the published one's place everywhere."""
        found = await desk.reopen(submission_id, who, body.reason)
        return {"submission_id": found.id, "state": found.standing.state}

    @router.get("/v1/media/{sha256}", response_class=Response)
    async def media(sha256: Sha256, who: Person, request: Request) -> Response:
        """A photo or video of a case that you may see."""
        return await photos.answer(sha256, who, request.headers.get("range"))

    return router


def many_json(made: ManyRecalls) -> Json:
    """What came of each."""
    return {"done": made.done, "waiting": made.waiting, "refused": made.refused}
