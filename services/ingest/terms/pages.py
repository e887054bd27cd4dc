"""The terms as pages, for everybody: the version in force, and those that people agreed to earlier."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from services.ingest.terms.model import parts_of
from shared.campaign.fields import text_in
from shared.campaign.model import Campaign
from shared.http.problems import Problem
from shared.web import Pages


def routes(pages: Pages, campaign: Campaign) -> APIRouter:
    """The terms' routes. They must come before the portal's, whose addresses would swallow them."""
    router = pages.router()

    def show(request: Request, version: str) -> Response:
        texts = campaign.terms.get(version)
        if texts is None:
            raise Problem(404, "not_found", "There are no terms of this version. Look at the current ones.")
        language = _closest(texts, pages.language(request))
        return pages.render(
            request,
            "terms.html",
            version=version,
            current=campaign.terms_version,
            others=[each for each in reversed([*campaign.terms]) if each != version],
            language=language,
            parts=parts_of(texts[language]),
        )

    @router.get("/send/terms")
    async def current(request: Request) -> Response:
        return show(request, campaign.terms_version)

    @router.get("/send/terms/{version}")
    async def earlier(request: Request, version: str) -> Response:
        return show(request, version)

    return router


def _closest(texts: Mapping[str, str], language: str) -> str:
    """The language in which a reader of `language` gets the terms, as `text_in` chooses."""
    return text_in({tag: tag for tag in texts}, language)
