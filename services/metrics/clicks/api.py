"""Short links over HTTP."""

from typing import Final

from fastapi import APIRouter, Request, Response

from services.metrics.clicks.service import ShortLinks, Visit
from shared.http.head import asked_method
from shared.http.models import refused
from shared.http.origin import address_of
from shared.http.problems import Problem
from shared.web.pages import Pages
from shared.web.route import answering_with

NOT_KEPT: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


def redirect_routes(links: ShortLinks, pages: Pages) -> APIRouter:
    """The redirects. Browsers are told in a page what is wrong with a link, programs in a problem document."""

    def told(request: Request, problem: Problem) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        return pages.problem(request, problem) if wants_page else problem.response()

    router = APIRouter(route_class=answering_with(told))

    @router.get("/r/{code:path}", status_code=302, response_class=Response, responses=refused(429))
    async def follow(code: str, request: Request) -> Response:
        """Lead on, and count one click of a person. Nothing about the person is kept."""
        host = address_of(request)
        target = await links.follow(Visit(code, asked_method(request), request.headers, host))
        return Response(status_code=302, headers={**NOT_KEPT, "Location": target})

    return router
