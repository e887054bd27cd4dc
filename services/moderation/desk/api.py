"""The HTTP interface of moderation."""

from dataclasses import asdict
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import APIRouter, Depends, Query, Response

from services.moderation.desk.forms import (
    CaseRecallRequest,
    ClaimRequest,
    DecisionRequest,
    ManyRecallsRequest,
    ReopenRequest,
    Tag,
)
from services.moderation.desk.media import Photos
from services.moderation.desk.schemas import (
    CaseAnswer,
    CasesAnswer,
    CaseStateAnswer,
    ClaimAnswer,
    ClaimsAnswer,
    ManyRecallsAnswer,
    QueueAnswer,
    RenewalAnswer,
    VerdictAnswer,
    WaitingAnswer,
)
from services.moderation.desk.service import ReviewService, reader_of
from shared.events import Country, Sha256
from shared.http.cursors import Cursor
from shared.http.models import KeySetAnswer, refused
from shared.identity.tokens import Guard, Principal, jwks
from shared.web.media import MEDIA_ANSWERS, Range

Risk = Literal["low", "medium", "high"]
Waiting = Literal["screened", "in_review"]


def routes(desk: ReviewService, photos: Photos, guard: Guard, *keys: Ed25519PublicKey) -> APIRouter:  # noqa: C901, PLR0915 — a table of routes
    """The routes."""
    router = APIRouter(tags=["moderation"])
    Moderator = Annotated[Principal, Depends(guard.require("moderator"))]  # noqa: N806 — a type
    Person = Annotated[Principal, Depends(guard.any)]  # noqa: N806 — a type

    @router.get("/.well-known/jwks.json")
    async def public_keys() -> KeySetAnswer:
        """The keys that decisions are signed with."""
        return KeySetAnswer.model_validate(jwks(*keys))

    @router.get("/v1/queue")
    async def queue(
        who: Moderator,
        language: Annotated[list[Tag] | None, Query()] = None,
        country: Annotated[list[Country] | None, Query()] = None,
        risk: Risk | None = None,
        state: Waiting | None = None,
        cursor: Cursor | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> QueueAnswer:
        """What waits, within your scopes."""
        reader = reader_of(who, language, country)
        found, after = await desk.page(reader, risk=risk, state=state, cursor=cursor, limit=limit)
        now = await desk.clock.now()
        items = tuple(WaitingAnswer.of(slot, who.person_id, desk.policy, now) for slot in found)
        return QueueAnswer(items=items, next=after)

    @router.get("/v1/claims")
    async def mine(who: Moderator) -> ClaimsAnswer:
        """What you hold."""
        held = await desk.claims.mine(who.person_id)
        return ClaimsAnswer(items=tuple(ClaimAnswer.of(claim, desk.policy) for claim in held))

    @router.post(
        "/v1/claims",
        status_code=201,
        response_model=ClaimAnswer,
        responses={204: {"description": "Nothing fits."}, **refused(404)},
    )
    async def claim(who: Moderator, wanted: ClaimRequest | None = None) -> Response:
        """Take the case that has waited longest into your hands, for five minutes."""
        asked = wanted or ClaimRequest()
        given = await desk.claim(reader_of(who, asked.languages, asked.countries), asked.submission_id)
        if given is None:
            return Response(status_code=204)
        answer = ClaimAnswer.of(given, desk.policy).model_dump_json(by_alias=True)
        return Response(answer, 201, {"Cache-Control": "no-store"}, "application/json")

    @router.put("/v1/claims/{claim_token}")
    async def renew(claim_token: str, who: Moderator) -> RenewalAnswer:
        """Hold on to it for five more minutes."""
        return RenewalAnswer(lease_expires_at=await desk.renew(claim_token, who))

    @router.delete("/v1/claims/{claim_token}", status_code=204)
    async def release(claim_token: str, who: Moderator) -> None:
        """Give it back, to its old place in the queue."""
        await desk.claims.release(claim_token, who.person_id)

    @router.post("/v1/decisions")
    async def decide(body: DecisionRequest, who: Moderator) -> VerdictAnswer:
        """Decide. The same request again gets the same answer."""
        decided = await desk.decide(body.claim_token, body.decision, who, fingerprint=body.fingerprint)
        return VerdictAnswer(decision_id=decided.decision_id, state=decided.state)

    @router.get("/v1/cases")
    async def decided(
        who: Moderator,
        before: Cursor | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> CasesAnswer:
        """The newest decided cases within your scopes; go on with `next` as `before`."""
        found, after = await desk.decided(who, before=before, limit=limit)
        now = await desk.clock.now()
        items = tuple(CaseAnswer.whole(case, desk.policy, who.person_id, now) for case in found)
        return CasesAnswer(items=items, next=after)

    @router.get("/v1/cases/{submission_id}")
    async def case(submission_id: str, who: Moderator) -> CaseAnswer:
        """A case with its whole past."""
        found = await desk.case(submission_id, who)
        return CaseAnswer.whole(found, desk.policy, who.person_id, await desk.clock.now())

    @router.post("/v1/cases/{submission_id}/recall", status_code=202)
    async def recall(submission_id: str, body: CaseRecallRequest, who: Moderator) -> CaseStateAnswer:
        """Take an approval back: everything published of it is removed."""
        found = await desk.recall(submission_id, who, body.reason)
        return CaseStateAnswer(submission_id=found.id, state=found.standing.state)

    @router.get("/v1/recalls")
    async def recalls(who: Moderator) -> CasesAnswer:
        """What somebody wants taken back and waits for a second person, within your scopes."""
        found, now = await desk.recalls_asked(who), await desk.clock.now()
        items = tuple(CaseAnswer.whole(case, desk.policy, who.person_id, now) for case in found)
        return CasesAnswer(items=items, next=None)

    @router.post("/v1/recalls", status_code=202)
    async def recall_many(body: ManyRecallsRequest, who: Moderator) -> ManyRecallsAnswer:
        """Take several back; what is more than one person may within an hour waits for a second one to send it too."""
        return ManyRecallsAnswer(**asdict(await desk.recall_all(body.submission_ids, who, body.reason)))

    @router.post("/v1/recalls/undo", status_code=202)
    async def keep_many(body: ManyRecallsRequest, who: Moderator) -> ManyRecallsAnswer:
        """Keep what waits for a second person after all. Whoever asked may, and every editor."""
        return ManyRecallsAnswer(**asdict(await desk.keep_all(body.submission_ids, who, body.reason)))

    @router.post("/v1/cases/{submission_id}/reopen", status_code=202)
    async def reopen(submission_id: str, body: ReopenRequest, who: Moderator) -> CaseStateAnswer:
        """Let an approved case wait again; what is approved of it then takes the published one's place everywhere."""
        found = await desk.reopen(submission_id, who, body.reason)
        return CaseStateAnswer(submission_id=found.id, state=found.standing.state)

    @router.get("/v1/media/{sha256}", response_class=Response, responses=MEDIA_ANSWERS)
    async def media(sha256: Sha256, who: Person, part: Range = None) -> Response:
        """A photo or video of a case that you may see."""
        return await photos.answer(sha256, who, part)

    return router
