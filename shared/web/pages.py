"""Pages of a service: templates in the visitor's language, with the headers that keep them safe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.campaign import defaults
from shared.campaign.fields import text_in
from shared.http.problems import Problem
from shared.http.redirects import see_other
from shared.identity.tokens import COOKIE, RENEWAL, Principal, csrf_token, end_session, set_session
from shared.observability.refusals import refused
from shared.web.assets import Assets
from shared.web.catalogues import LANGUAGES, alphabet, translations
from shared.web.formats import Formats
from shared.web.language import COOKIE as LANGUAGE_COOKIE
from shared.web.language import direction, negotiate
from shared.web.route import answering_with

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "Vary": "Cookie, Accept-Language",
}
"""Sent with every page. `blob:` shows a photo before it is uploaded; all else is our own and not inline."""

"""A page that renews itself says so with this header: an open page alone keeps no staff session alive."""

_YEAR: Final = 365 * 24 * 3600
_UNAUTHENTICATED: Final = 401
_OURS: Final = frozenset(defaults.texts())
_SHARED_TEMPLATES: Final = Path(__file__).parent / "templates"


def _now() -> datetime:
    return datetime.now(UTC)


def _session_token(request: Request) -> str:
    """The CSRF token of the visitor's session, empty without one."""
    cookie = request.cookies.get(COOKIE)
    return csrf_token(cookie) if cookie else ""


@dataclass(frozen=True, slots=True)
class _Speech:
    """One language's templates and formats."""

    environment: Environment
    formats: Formats


class Pages:
    """The pages of one service.

    `templates` holds its `*.html` and `static/`; `mount` is the path under which the gateway routes it,
    without a trailing slash; `campaign` is the name in the header, by language or one for all;
    `reasons` are the campaign's, by code and language; `clock` gives the present (UTC); `entry` is the page to which those
    are led who have to sign in first.
    """

    def __init__(
        self,
        service: str,
        templates: Path,
        mount: str,
        *,
        campaign: Mapping[str, str] | str = "Könüllü",
        reasons: Mapping[str, Mapping[str, str]] = defaults.REASONS,
        clock: Callable[[], datetime] = _now,
        entry: str = "/sign-in",
    ) -> None:
        self.service, self._entry = service, entry
        self.mount = mount
        self._campaign = {"en": campaign} if isinstance(campaign, str) else campaign
        self._reasons = reasons
        self._clock = clock
        self._assets = Assets.load(templates / "static", f"{mount}/static")
        loader = ChoiceLoader([FileSystemLoader(templates), FileSystemLoader(_SHARED_TEMPLATES)])
        self._speech = {language: self._speak(language, loader) for language in LANGUAGES}

    def language(self, request: Request) -> str:
        """The language this visitor reads."""
        return negotiate(
            offered=LANGUAGES,
            asked=request.query_params.get("lang"),
            kept=request.cookies.get(LANGUAGE_COOKIE),
            accepted=request.headers.get("Accept-Language"),
        )

    def render(
        self,
        request: Request,
        name: str,
        *,
        principal: Principal | None = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: object,
    ) -> HTMLResponse:
        """The page `name` in the visitor's language; `principal` is known once a `Guard` let the request in.

        Raises `jinja2.UndefinedError` when `context` lacks a name that the page uses.
        """
        principal = principal or getattr(request.state, "principal", None)
        language = self.language(request)
        speech = self._speech[language]
        page = {
            "principal": principal,
            "path": request.url.path,
            "languages": _switch(request),
            "ago": partial(speech.formats.ago, now=self._clock()),
            **_csrf(request),
        }
        body = speech.environment.get_template(name).render(page | context)
        response = HTMLResponse(
            body, status_code, headers={**HEADERS, "Content-Language": language, **(headers or {})}
        )
        if request.query_params.get("lang") == language:
            response.set_cookie(LANGUAGE_COOKIE, language, max_age=_YEAR, samesite="lax", path="/")
        session = request.cookies.get(COOKIE)
        if principal is not None and session and RENEWAL not in request.headers:
            set_session(response, session, principal)
        return response

    def problem(self, request: Request, problem: Problem) -> Response:
        """A problem as a page: what happened, what stays safe, what to do.

        Who is not signed in is led to the entry and back.
        """
        if problem.status == _UNAUTHENTICATED and came_from_elsewhere(request):
            return self.render(request, "again.html")
        refused(self.service, request, problem.status, problem.code)
        if problem.status == _UNAUTHENTICATED and request.method == "GET":
            back = urlencode({"next": _here(request)})
            away = see_other(f"{self._entry}?{back}")
            if COOKIE in request.cookies:
                end_session(away)
            return away
        return self.render(
            request, "problem.html", status_code=problem.status, headers=problem.headers, problem=problem
        )

    def router(self) -> APIRouter:
        """A router for pages: its routes are not part of the API, and their problems become pages."""
        route = answering_with(self.problem)
        return APIRouter(route_class=route, include_in_schema=False, default_response_class=HTMLResponse)

    def static_router(self) -> APIRouter:
        """Serves the static files under `{mount}/static/`.

        An address with the present version may be kept for a year, an older one not at all.
        """
        router = APIRouter(include_in_schema=False)
        assets = self._assets

        @router.get(f"{assets.prefix}/{{version}}/{{name:path}}")
        async def static(version: str, name: str) -> Response:
            asset = assets.files.get(name)
            if asset is None:
                raise Problem(404, "not_found", "There is no such file.")
            current = version == assets.version
            cache = f"public, max-age={_YEAR}, immutable" if current else "no-store"
            headers = {"Cache-Control": cache, "X-Content-Type-Options": "nosniff"}
            return Response(asset.body, media_type=asset.media_type, headers=headers)

        return router

    def _speak(self, language: str, loader: ChoiceLoader) -> _Speech:
        environment = Environment(
            loader=loader,
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
        formats = Formats(language, alphabet(language))
        said = partial(_said, language=language)
        environment.globals.update(
            lang=language,
            dir=direction(language),
            campaign=said(self._campaign),
            reason_texts={code: said(text) for code, text in self._reasons.items()},
            text_in=said,
            service=self.service,
            mount=self.mount,
            asset=self._assets.url,
            direction=direction,
            number=formats.number,
            exact=formats.exact,
            size=formats.size,
            clock_words=formats.clock_words(),
            language_name=formats.language_name,
            named_languages=formats.named_languages,
            named_countries=formats.named_countries,
            country_name=formats.country_name,
        )
        return _Speech(environment, formats)


def _said(text: Mapping[str, str], language: str) -> str:
    """A text of the campaign. What it has left as it comes with us, in English, has its translation in the catalogue."""
    said = text_in(text, language)
    return translations(language).gettext(said) if said in _OURS else said


def came_from_elsewhere(request: Request) -> bool:
    """Whether a link on another site led here, and the browser therefore kept the session to itself.

    Such a visitor gets `again.html`, which asks for the same page once more, now from this site.
    """
    elsewhere = request.headers.get("Sec-Fetch-Site") == "cross-site"
    return elsewhere and request.method == "GET" and COOKIE not in request.cookies


def _csrf(request: Request) -> dict[str, object]:
    token = _session_token(request)
    return {"csrf": token, "csrf_field": Markup('<input type="hidden" name="csrf" value="{}">').format(token)}


def _switch(request: Request) -> list[dict[str, str]]:
    """The same page in each language."""
    query = [(key, value) for key, value in request.query_params.multi_items() if key != "lang"]
    return [
        {"tag": tag, "name": name, "url": f"?{urlencode([*query, ('lang', tag)])}"}
        for tag, name in LANGUAGES.items()
    ]


def _here(request: Request) -> str:
    """Where the visitor is, as a path within this site."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
