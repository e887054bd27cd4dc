"""The routes of the volunteer portal at `/send`: what one has sent, sending, mending, withdrawing."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.ingest.rate_limits import RateLimits
from services.ingest.submissions.portal import Portal
from shared.http.cursors import moment_of
from shared.http.origin import address_of
from shared.identity.tokens import Guard, Principal
from shared.web import Pages


def routes(portal: Portal, pages: Pages, guard: Guard, limits: RateLimits) -> APIRouter:
    """The portal's routes."""
    router = pages.router()
    somebody = Annotated[Principal, Depends(guard.any)]
    anybody = Annotated[Principal | None, Depends(guard.optional)]

    async def limited(request: Request, who: somebody) -> Principal:
        await limits.write(address_of(request), who.person_id)
        return who

    sender = Annotated[Principal, Depends(limited)]

    @router.get("/send")
    async def front(request: Request, who: anybody, after: str = "") -> Response:
        return await portal.front(request, who, _place(after))

    @router.get("/send/new")
    async def blank(request: Request, who: somebody) -> Response:  # noqa: ARG001 - only who is signed in
        return portal.blank(request)

    @router.post("/send/new")
    async def send(request: Request, who: sender) -> Response:
        return await portal.send(request, who)

    @router.get("/send/{submission_id}")
    async def status(request: Request, who: somebody, submission_id: str) -> Response:
        return await portal.status(request, who, submission_id, fresh="sent" in request.query_params)

    @router.get("/send/{submission_id}/media/{sha256}")
    async def media(request: Request, who: somebody, submission_id: str, sha256: str) -> Response:
        return await portal.media(request, who, submission_id, sha256)

    @router.get("/send/{submission_id}/revise")
    async def mend(request: Request, who: somebody, submission_id: str) -> Response:
        return await portal.mend(request, who, submission_id)

    @router.post("/send/{submission_id}/revise")
    async def revise(request: Request, who: sender, submission_id: str) -> Response:
        return await portal.revise(request, who, submission_id)

    @router.post("/send/{submission_id}/withdraw")
    async def withdraw(request: Request, who: sender, submission_id: str) -> Response:
        return await portal.withdraw(request, who, submission_id)

    return router


def _place(after: str) -> tuple[datetime, str] | None:
    """Where a page of the list begins. What cannot be read begins at the top."""
    at, _, last = after.partition("~")
    moment = moment_of(at)
    return (moment, last) if moment is not None and last else None
