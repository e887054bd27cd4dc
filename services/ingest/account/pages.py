"""The pages of one's own account: what is kept, a new recovery code, the file of everything, the deletion."""

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from services.ingest.account.api import archive_response
from services.ingest.account.service import AccountService
from services.ingest.people.service import Sessions
from services.ingest.rate_limits import RateLimits
from shared.campaign.model import Section
from shared.http.origin import address_of
from shared.http.problems import Problem
from shared.http.redirects import see_other
from shared.identity.tokens import Guard, Principal, end_session
from shared.web import Pages

GONE_COOKIE: Final = "__Host-konullu_deleted"
"""Whose account this device asked to delete, so that it can be told when that is done."""
GONE_SECONDS: Final = 7 * 24 * 3600
UNAUTHENTICATED: Final = 401

ShowCode = Callable[[str], Response]
"""Leads to the page that shows a recovery code once."""


class AccountPages:
    """The account's pages."""

    def __init__(
        self,
        pages: Pages,
        account: AccountService,
        sessions: Sessions,
        sections: tuple[Section, ...],
        show_code: ShowCode,
    ) -> None:
        self._pages, self._account, self._sessions = pages, account, sessions
        self._sections = {each.id: each.name for each in sections}
        self._show_code = show_code

    async def own(self, request: Request, who: Principal, *, asked: bool = False) -> Response:
        """What is kept; while it is being deleted, how far that is. `asked`: deleted without the second yes."""
        person = await self._account.person(who)
        return self._pages.render(
            request,
            "account.html",
            status_code=422 if asked else 200,
            person=person,
            section=self._sections.get(person.section or ""),
            deletion=await self._account.deletion(who.person_id),
            volunteer=not who.is_staff,
            asked=asked,
        )

    async def new_code(self, who: Principal) -> Response:
        """A new recovery code, shown once."""
        return self._show_code(await self._sessions.new_code(who))

    async def export(self, who: Principal) -> Response:
        """The file of everything."""
        return archive_response(await self._account.export(who))

    async def delete(self, request: Request, who: Principal) -> Response:
        """Delete the account; without the tick the page asks again."""
        if (await request.form()).get("confirmed") != "yes":
            return await self.own(request, who, asked=True)
        await self._account.delete(who)
        response = see_other("/send/account")
        response.set_cookie(
            GONE_COOKIE,
            who.person_id,
            max_age=GONE_SECONDS,
            path="/",
            secure=True,
            httponly=True,
            samesite="strict",
        )
        return response

    async def deleted(self, request: Request) -> Response | None:
        """That the account of this device is closed, which is looked up; nothing when it is not."""
        person_id = request.cookies.get(GONE_COOKIE)
        if person_id is None or not await self._account.is_deleted(person_id):
            return None
        response = self._pages.render(request, "deleted.html")
        end_session(response)
        return response


def routes(account: AccountPages, pages: Pages, guard: Guard, limits: RateLimits) -> APIRouter:
    """The account's routes. They must come before the portal's, whose addresses would swallow them."""
    router = pages.router()
    somebody = Annotated[Principal, Depends(guard.any)]

    async def limited(request: Request, who: somebody) -> Principal:
        await limits.write(address_of(request), who.person_id)
        return who

    changing = Annotated[Principal, Depends(limited)]

    @router.get("/send/account")
    async def own(request: Request) -> Response:
        try:
            who = await guard.any(request)
        except Problem as problem:
            if problem.status == UNAUTHENTICATED and (gone := await account.deleted(request)) is not None:
                return gone
            raise
        return await account.own(request, who)

    @router.post("/send/account/recovery-code")
    async def new_code(who: changing) -> Response:
        return await account.new_code(who)

    @router.get("/send/account/export")
    async def export(who: changing) -> Response:
        return await account.export(who)

    @router.post("/send/account/deletion")
    async def delete(request: Request, who: changing) -> Response:
        return await account.delete(request, who)

    return router
