"""The authors' API: submissions, revisions, withdrawals, the ledger, one's own media."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.routing import APIRoute

from services.ingest.rate_limits import RateLimits
from services.ingest.submissions.schemas import (
    LedgerAnswer,
    LedgersAnswer,
    ReceiptAnswer,
    SubmissionBody,
    WithdrawalAnswer,
    WithdrawalBody,
)
from services.ingest.submissions.service import Receipt, SubmissionService
from shared.events import as_utc
from shared.http.cursors import moment_of
from shared.http.json_body import json_body
from shared.http.models import refused
from shared.http.origin import address_of
from shared.http.problems import Problem
from shared.identity.tokens import Guard, Principal
from shared.storage.media import MediaStore
from shared.web.media import MEDIA_ANSWERS, Range, clean_media

MOST_PER_PAGE: Final = 100

Key = Annotated[str | None, Header(alias="Idempotency-Key")]
PerPage = Annotated[int, Query(ge=1, le=MOST_PER_PAGE)]


def routes(reception: SubmissionService, guard: Guard, limits: RateLimits, public_url: str) -> APIRouter:
    """The routes of `/v1/submissions`."""
    router = APIRouter(prefix="/v1/submissions", tags=["submissions"])
    asking = Annotated[Principal, Depends(guard.any)]

    async def limited(request: Request, author: asking) -> Principal:
        await limits.write(address_of(request), author.person_id)
        return author

    writing = Annotated[Principal, Depends(limited)]

    def status_url(receipt: Receipt) -> str:
        return f"{public_url}/send/{receipt.submission_id}"

    def proof(receipt: Receipt) -> ReceiptAnswer:
        return ReceiptAnswer(
            submission_id=receipt.submission_id,
            receipt=receipt.code,
            revision=receipt.revision,
            status_url=status_url(receipt),
        )

    async def submit(body: SubmissionBody, author: writing, key: Key = None) -> ReceiptAnswer:
        """Send a submission, once per key."""
        return proof(await reception.submit(author, key, body.draft()))

    async def served(request: Request) -> Response:
        author = await limited(request, await guard.any(request))
        body = await json_body(request, SubmissionBody)
        answer = await submit(body, author, request.headers.get("idempotency-key"))
        return Response(answer.model_dump_json(), status_code=202, media_type="application/json")

    router.add_api_route(
        "",
        submit,
        methods=["POST"],
        status_code=202,
        responses=refused(429),
        route_class_override=_served_by(served),
    )

    @router.post("/{submission_id}/revisions", status_code=202, responses=refused(429))
    async def revise(
        submission_id: str, body: SubmissionBody, author: writing, key: Key = None
    ) -> ReceiptAnswer:
        """Send the revision that a moderator asked for, whole, once per key."""
        return proof(await reception.revise(author, submission_id, key, body.draft()))

    @router.post("/{submission_id}/withdrawal", status_code=202, responses=refused(429))
    async def withdraw(
        submission_id: str, author: writing, body: WithdrawalBody | None = None
    ) -> WithdrawalAnswer:
        """Withdraw a submission for good, at any time."""
        receipt = await reception.withdraw(author, submission_id, body.reason if body else None)
        return WithdrawalAnswer(
            submission_id=submission_id, receipt=receipt.code, status_url=status_url(receipt)
        )

    @router.get("")
    async def list_own(author: asking, after: str | None = None, limit: PerPage = 20) -> LedgersAnswer:
        """What one has sent, newest first. `after` is the `next` of the page before."""
        found = await reception.all_of(author, place_of(after), limit + 1)
        page = found[:limit]
        more = (
            f"{as_utc(page[-1][0].accepted_at)}~{page[-1][0].submission_id}" if len(found) > limit else None
        )
        return LedgersAnswer(items=tuple(LedgerAnswer.of(*each) for each in page), next=more)

    @router.get("/{submission_id}")
    async def look_up(submission_id: str, author: asking) -> LedgerAnswer:
        """What has become of one's submission."""
        return LedgerAnswer.of(*await reception.look_up(author, submission_id))

    return router


def _served_by(serve: Callable[[Request], Coroutine[Any, Any, Response]]) -> type[APIRoute]:
    """A route whose endpoint is what OpenAPI shows, and `serve` what reads the request and calls it.

    For the busiest route alone: it spares FastAPI's solving of dependencies at every request.
    """

    class Served(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            return serve

    return Served


def media_routes(reception: SubmissionService, store: MediaStore, guard: Guard) -> APIRouter:
    """One's own photos and videos, as they left the safety pass."""
    router = APIRouter(tags=["submissions"])
    asking = Annotated[Principal, Depends(guard.any)]

    @router.get("/v1/media/{sha256}", response_class=Response, responses=MEDIA_ANSWERS)
    async def media(sha256: str, author: asking, part: Range = None) -> Response:
        """A photo or video of one's own submissions."""
        return await clean_media(store, await reception.own_media(author, sha256), part)

    return router


def place_of(after: str | None) -> tuple[datetime, str] | None:
    """Where a page begins: the time and id of the last submission seen. Raises 422 `cursor_invalid`."""
    if after is None:
        return None
    at, _, submission_id = after.partition("~")
    place = moment_of(at)
    if place is None or not submission_id:
        raise Problem(
            422, "cursor_invalid", "Give as `after` what the last page gave as `next`, or leave it out."
        )
    return place, submission_id
