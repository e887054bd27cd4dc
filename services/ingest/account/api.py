"""The API of one's own account."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from services.ingest.account.schemas import (
    AccountAnswer,
    AccountDeletionBody,
    DeletionAnswer,
    RecoveryCodeAnswer,
    deletion_answer,
)
from services.ingest.account.service import AccountService
from services.ingest.people.service import Sessions
from services.ingest.rate_limits import RateLimits
from shared.http.origin import address_of
from shared.http.problems import Problem
from shared.identity.tokens import Guard, Principal

ARCHIVE_HEADERS = {
    "Content-Disposition": 'attachment; filename="konullu-account.zip"',
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def routes(account: AccountService, sessions: Sessions, guard: Guard, limits: RateLimits) -> APIRouter:
    """The routes of `/v1/account`."""
    router = APIRouter(prefix="/v1/account", tags=["account"])
    asking = Annotated[Principal, Depends(guard.any)]

    async def limited(request: Request, who: asking) -> Principal:
        await limits.write(address_of(request), who.person_id)
        return who

    writing = Annotated[Principal, Depends(limited)]

    @router.get("")
    async def own(who: asking, response: Response) -> AccountAnswer:
        """What is kept of oneself."""
        response.headers["Cache-Control"] = "no-store"
        return AccountAnswer.of(await account.person(who), await account.deletion(who.person_id))

    @router.post("/recovery-code")
    async def new_code(who: writing, response: Response) -> RecoveryCodeAnswer:
        """A new recovery code. The one before stops working; sessions go on."""
        response.headers["Cache-Control"] = "no-store"
        return RecoveryCodeAnswer(recovery_code=await sessions.new_code(who))

    @router.get(
        "/export",
        response_class=StreamingResponse,
        responses={200: {"content": {"application/zip": {}}, "description": "A ZIP of JSON and files"}},
    )
    async def export(who: writing) -> StreamingResponse:
        """Everything that is held of oneself: the account, submissions, uploads, photos and videos."""
        return archive_response(await account.export(who))

    @router.post("/deletion", status_code=202)
    async def delete(who: writing, body: AccountDeletionBody) -> DeletionAnswer:  # noqa: ARG001 - the second yes
        """Withdraw everything, take it down, erase it, and close the account, whose tokens are refused then."""
        await account.delete(who)
        person = await account.person(who)
        if person.leaving_since is None:
            raise Problem(409, "account_closed", "This account is closed already. Nothing is left to delete.")
        return deletion_answer(person.leaving_since, await account.deletion(who.person_id))

    return router


def archive_response(pieces: AsyncIterator[bytes]) -> StreamingResponse:
    """The archive as a file to keep."""
    return StreamingResponse(pieces, media_type="application/zip", headers=ARCHIVE_HEADERS)
