"""The doors: joining, coming back with a code, signing in and out. They open and close the one session of all services."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from services.ingest.people.forms import read_newcomer
from services.ingest.people.service import Opened, Sessions
from services.ingest.rate_limits import RateLimits
from services.ingest.validation.choices import Choices
from services.ingest.validation.form_fields import fields_of
from shared.http.origin import address_of, is_from_another_site
from shared.http.problems import Problem
from shared.http.redirects import see_other
from shared.identity.tokens import Guard, Principal, end_session, set_session
from shared.observability.refusals import refused
from shared.web import Pages

CODE_COOKIE: Final = "__Host-konullu_code"
CODE_SECONDS: Final = 15 * 60
"""How long the page with a new recovery code can be loaded again."""
NEXT_LONGEST: Final = 500

HasSent = Callable[[Principal], Awaitable[bool]]
"""Whether somebody has sent anything yet."""


class Doors:
    """The pages through which one comes and goes."""

    def __init__(self, pages: Pages, sessions: Sessions, choices: Choices, has_sent: HasSent) -> None:
        self._pages, self._sessions = pages, sessions
        self._choices, self._has_sent = choices, has_sent

    def join(self, request: Request) -> Response:
        """The form to become a volunteer."""
        given = {"name": "", "country": "", "languages": (), "other_language": "", "section": ""}
        return self._pages.render(request, "register.html", given=given, mistakes=[], **self._choices.shown())

    async def register(self, request: Request) -> Response:
        """A new volunteer, signed in, and led to their code; or the form again with what must be mended."""
        newcomer, other = read_newcomer(await request.form())
        try:
            opened = await self._sessions.register(newcomer)
        except Problem as problem:
            if problem.code != "registration_invalid":
                raise
            given = {
                "name": newcomer.name,
                "country": newcomer.country,
                "languages": newcomer.languages,
                "other_language": other,
                "section": newcomer.section,
            }
            mistakes = fields_of(str(error["field"]) for error in problem.extra["errors"])
            return self._pages.render(
                request,
                "register.html",
                status_code=422,
                given=given,
                mistakes=mistakes,
                **self._choices.shown(),
            )
        return _enter(opened, "/send/code")

    def code(self, request: Request, *, onward: str) -> Response:
        """The new recovery code, until it has been kept."""
        code = request.cookies.get(CODE_COOKIE)
        if code is None:
            return see_other(onward or "/send")
        return self._pages.render(request, "code.html", code=code, next=onward)

    async def code_kept(self, request: Request, who: Principal) -> Response:
        """Forget the code, and go on where one was; a newcomer goes on to send something."""
        onward = local(_text((await request.form()).get("next")))
        response = see_other(onward or ("/send" if await self._has_sent(who) else "/send/new"))
        response.delete_cookie(CODE_COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return response

    async def recover(self, request: Request) -> Response:
        """Come back with a recovery code; it is used up, and the next one is shown."""
        form = await request.form()
        code, onward = _text(form.get("recovery_code")), local(_text(form.get("next")))
        try:
            opened = await self._sessions.recover(code, address_of(request))
        except Problem as problem:
            if problem.code != "recovery_code_unknown":
                raise
            refused(self._pages.service, request, problem.status, problem.code)
            return self._pages.render(request, "recover.html", status_code=422, wrong=True, next=onward)
        return _enter(opened, f"/send/code?{urlencode({'next': onward})}" if onward else "/send/code")

    def door(self, request: Request, *, link: str, onward: str) -> Response:
        """The sign-in page. A one-time link is used only by pressing its button, not by those who preview links."""
        ended = request.query_params.get("ended")
        return self._pages.render(request, "sign_in.html", link=link, next=onward, wrong="", ended=ended)

    async def sign_in(self, request: Request) -> Response:
        """A session for a token or a one-time link."""
        form = await request.form()
        link, token, onward = (_text(form.get(name)) for name in ("link", "token", "next"))
        try:
            if link:
                opened = await self._sessions.open_with_link(link, address_of(request))
            else:
                opened = await self._sessions.open_with_token(token, address_of(request))
        except Problem as problem:
            if problem.status != 401:  # noqa: PLR2004 - a wrong token or link, of whatever kind
                raise
            refused(self._pages.service, request, problem.status, problem.code)
            wrong = "link" if link else "token"
            return self._pages.render(
                request, "sign_in.html", status_code=422, link="", next=onward, wrong=wrong, ended=None
            )
        return _enter(opened, local(onward) or home(opened.principal))

    async def sign_out(self, request: Request, who: Principal) -> Response:
        """End this session, or, if so wished, all of them."""
        everywhere = bool((await request.form()).get("everywhere"))
        await (self._sessions.close_everywhere(who) if everywhere else self._sessions.close(who))
        response = see_other("/sign-in?ended=everywhere" if everywhere else "/sign-in?ended")
        end_session(response)
        return response


def routes(doors: Doors, pages: Pages, guard: Guard, limits: RateLimits) -> APIRouter:
    """The doors' routes. They must come before the portal's, whose addresses would swallow some."""
    router = pages.router()
    somebody = Annotated[Principal, Depends(guard.any)]

    async def from_here(request: Request) -> None:
        await limits.write(address_of(request))
        _refuse_foreign(request)

    async def joining_from_here(request: Request) -> None:
        await limits.join(address_of(request))
        _refuse_foreign(request)

    entering, joining = [Depends(from_here)], [Depends(joining_from_here)]

    router.add_api_route("/send/register", doors.join, methods=["GET"])
    router.add_api_route("/send/register", doors.register, methods=["POST"], dependencies=joining)
    router.add_api_route("/send/recover", doors.recover, methods=["POST"], dependencies=entering)
    router.add_api_route("/sign-in", doors.sign_in, methods=["POST"], dependencies=entering)

    @router.get("/send/code")
    async def code(request: Request, who: somebody, next: str = "") -> Response:  # noqa: A002, ARG001 - only who is signed in
        return doors.code(request, onward=local(next))

    @router.post("/send/code")
    async def code_kept(request: Request, who: somebody) -> Response:
        return await doors.code_kept(request, who)

    @router.get("/send/recover")
    async def come_back(request: Request, next: str = "") -> Response:  # noqa: A002 - the address's word
        return pages.render(request, "recover.html", wrong=False, next=local(next))

    @router.get("/sign-in")
    async def door(request: Request, link: str = "", next: str = "") -> Response:  # noqa: A002 - the address's word
        return doors.door(request, link=link, onward=local(next))

    @router.get("/sign-out")
    async def leave(request: Request, who: somebody) -> Response:
        return pages.render(request, "sign_out.html", principal=who)

    @router.post("/sign-out")
    async def sign_out(request: Request, who: somebody) -> Response:
        return await doors.sign_out(request, who)

    return router


def local(address: str) -> str:
    """The address if it is a path of this site, else nothing: nobody is led elsewhere after signing in."""
    odd = "\\" in address or any(character < "!" for character in address) or len(address) > NEXT_LONGEST
    inside = address.startswith("/") and not address.startswith("//")
    return address if inside and not odd else ""


def home(who: Principal) -> str:
    """Where somebody's work is."""
    if not who.is_staff:
        return "/send"
    return "/desk/moderation" if who.has("moderator", "editor") else "/reach"


def show_code(code: str, response: Response | None = None) -> Response:
    """Have a recovery code shown by the page that shows it until it has been kept."""
    shown = response or see_other("/send/code?next=/send/account")
    shown.set_cookie(
        CODE_COOKIE, code, max_age=CODE_SECONDS, path="/", secure=True, httponly=True, samesite="strict"
    )
    return shown


def _enter(opened: Opened, address: str) -> Response:
    response = see_other(address)
    set_session(response, opened.token, opened.principal)
    return response if opened.recovery_code is None else show_code(opened.recovery_code, response)


def _refuse_foreign(request: Request) -> None:
    """Forms that open a session carry no token yet, so the browser's word for where they come from must do."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in {"same-origin", "none"} or is_from_another_site(request):
        raise Problem(
            403, "csrf", "This form was sent from another site. Open the page here and send it again."
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
