"""The reach page: the campaign's figures, breakdowns, trends."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from services.metrics.census.store import Census
from services.metrics.counting.service import Counts
from services.metrics.counting.sums import DIMENSIONS
from services.metrics.reports.api import question_of, seen_by
from services.metrics.reports.breakdown import FIRST_DAY, LAST_DAY, Breakdown, Breakdowns, ReachQuestion
from services.metrics.reports.campaign import NAMES, figures_of
from services.metrics.reports.charts import choose, crossed, measures, ranked, trend
from shared.http.problems import Problem
from shared.identity.tokens import Guard, Principal
from shared.web import Pages

PAIR = ("channel", "language")


def _dimension(asked: str, otherwise: str) -> str:
    return asked if asked in DIMENSIONS else otherwise


def _bounds(first: str | None, last: str | None) -> tuple[ReachQuestion, str | None]:
    """The days asked for, and the code of what is wrong with them."""
    try:
        return question_of(None, first, last), None
    except Problem as problem:
        return ReachQuestion(), problem.code


def page_routes(
    pages: Pages, breakdowns: Breakdowns, counts: Counts, census: Census, guard: Guard
) -> tuple[APIRouter, APIRouter]:
    """The page and its static files."""
    router = pages.router()

    @router.get(pages.mount)
    async def reach(
        request: Request,
        who: Annotated[Principal, Depends(guard.staff)],
        measure: str | None = None,
        from_: Annotated[str | None, Query(alias="from")] = None,
        to: str | None = None,
        lines: str = PAIR[0],
        columns: str = PAIR[1],
    ) -> Response:
        bounds, mistake = _bounds(from_, to)
        asked = {"from": from_ or None, "to": to or None}

        async def by(*dimensions: str) -> Breakdown:
            return await breakdowns.answer(ReachQuestion(dimensions, bounds.first, bounds.last), seen_by(who))

        measured = [] if mistake else measures(await by())
        shown = choose(measured, measure)
        first, second = _dimension(lines, PAIR[0]), _dimension(columns, PAIR[1])
        if first == second:
            second = next(one for one in DIMENSIONS if one != first)
        links = {
            one.name: "?" + urlencode({k: v for k, v in {"measure": one.name, **asked}.items() if v})
            for one in measured
        }
        return pages.render(
            request,
            "reach.html",
            figures=await figures_of(census, counts),
            names=NAMES,
            measured=measured,
            shown=shown,
            links=links,
            mistake=mistake,
            first_day=(from_ or "") if mistake else "" if bounds.first == FIRST_DAY else bounds.first,
            last_day=(to or "") if mistake else "" if bounds.last == LAST_DAY else bounds.last,
            lines=first,
            columns=second,
            dimensions=DIMENSIONS,
            ranked=[ranked(await by(one), shown, one) for one in DIMENSIONS] if shown else [],
            trend=trend(await by("day"), shown) if shown else [],
            crossed=crossed(await by(first, second), shown, first, second) if shown else None,
        )

    return router, pages.static_router()
