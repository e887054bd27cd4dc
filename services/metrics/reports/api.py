"""Metrics over HTTP: breakdowns of reach, the campaign's figures, short links."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from services.metrics import telemetry
from services.metrics.census.store import Roll
from services.metrics.clicks.bot_filter import is_person
from services.metrics.clicks.link_cache import Links, fallback, well_formed
from services.metrics.clicks.spool import Spool
from services.metrics.counting.model import moment
from services.metrics.counting.service import Counts
from services.metrics.reports.breakdown import BY, FIRST_DAY, LAST_DAY, Answer, Question, answer
from services.metrics.reports.campaign import NAMES, figures_of
from shared.events import ReachClicked, as_utc
from shared.http.problems import Problem
from shared.identity.tokens import Guard, Principal

NOT_KEPT = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


class CampaignFigure(BaseModel):
    """A figure with its source and time."""

    value: int
    source: str
    as_of: AwareDatetime


class CampaignAnswer(BaseModel):
    """The campaign's figures; null where nothing was measured."""

    members: CampaignFigure | None
    countries: CampaignFigure | None
    submissions: CampaignFigure | None
    """Accepted, whatever became of them."""
    published: CampaignFigure | None
    """Visible on at least one channel now."""
    videos: CampaignFigure | None
    """Published ones with a video."""
    views: CampaignFigure | None
    """Summed over deliveries: counts of views, not of people."""
    reached: CampaignFigure | None
    """The largest single figure of people reached: the same people are never added across posts or channels."""
    clicks: CampaignFigure | None


class ReachAnswer(BaseModel):
    """A breakdown of reach."""

    items: list[dict[str, Any]] = Field(
        description="The dimensions asked for, then metric, value, kind, source, as_of."
    )
    next: str | None = None


def question_of(by: str | None, first: str | None, last: str | None) -> Question:
    """The question in a query. Raises `Problem` (422) for an unknown dimension or day. Pure."""
    asked = tuple(dict.fromkeys(name.strip() for name in (by or "").split(",") if name.strip()))
    for name in asked:
        if name not in BY:
            known = ", ".join(BY)
            raise Problem(
                422, "unknown_dimension", f"There is no dimension {name!r}. Ask by any of: {known}."
            )
    return Question(asked, _day("from", first) or FIRST_DAY, _day("to", last) or LAST_DAY)


def _day(name: str, given: str | None) -> str | None:
    if not given:
        return None
    try:
        if "T" in given:
            # A plus sign in a query is read as a space.
            at = datetime.fromisoformat(given.replace(" ", "+"))
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).date().isoformat()
        return date.fromisoformat(given).isoformat()
    except ValueError:
        raise Problem(
            422, "unknown_day", f"`{name}` is {given!r}. Give a day as YYYY-MM-DD, or a time as RFC 3339."
        ) from None


def item_of(one: Answer, by: tuple[str, ...]) -> dict[str, Any]:
    """A row as it is answered, its dimensions in the order in which they were asked for. Pure."""
    measure = one.row.measure
    return {
        **{name: one.values[name] or None for name in by},
        "metric": measure.metric,
        "value": one.row.value,
        "kind": measure.kind,
        "source": measure.source,
        "as_of": as_utc(moment(one.row.as_of)),
    }


def routes(counts: Counts, roll: Roll, guard: Guard) -> APIRouter:
    """The API."""
    router = APIRouter()

    @router.get("/v1/reach", response_model=ReachAnswer)
    async def reach(
        _who: Annotated[Principal, Depends(guard.staff)],
        by: Annotated[str | None, Query(description=f"Any of {', '.join(BY)}, separated by commas.")] = None,
        from_: Annotated[str | None, Query(alias="from", description="First day (UTC).")] = None,
        to: Annotated[str | None, Query(description="Last day (UTC).")] = None,
    ) -> dict[str, Any]:
        """Reach, broken down. `kind` says what a figure is; figures of different kinds are never added.

        `delta` counts what happened in these days, `period` sums what channels say of these days, `cumulative` is for all
        time and shown when it was observed last in these days. `reached` is the largest single figure, never a sum.
        """
        question = question_of(by, from_, to)
        found = await answer(counts, question)
        return {"items": [item_of(one, question.by) for one in found], "next": None}

    @router.get("/v1/campaign", response_model=CampaignAnswer)
    async def campaign() -> dict[str, Any]:
        """The campaign's figures, for everybody."""
        found = await figures_of(roll, counts)
        return {
            name: None if (one := found[name]) is None else {**one._asdict(), "as_of": as_utc(one.as_of)}
            for name in NAMES
        }

    return router


def redirects(links: Links, spool: Spool, public_url: str, store_is_there: Callable[[], bool]) -> APIRouter:
    """Short links. They depend on neither database nor bus."""
    router = APIRouter()

    @router.get("/r/{code}", status_code=302, response_class=Response)
    @router.head("/r/{code}", status_code=302, response_class=Response, include_in_schema=False)
    async def follow(code: str, request: Request) -> Response:
        """Lead on, and count one click of a person. Nothing about the person is kept."""
        known = well_formed(code)
        if known is None:
            raise Problem(
                404,
                "no_such_link",
                f"{code[:40]!r} is no short link: they have ten letters a-z and digits 2-7.",
            )
        target = await links.target(known, ask=store_is_there())
        if is_person(request.method, request.headers):
            telemetry.redirected("counted" if await spool.add(click(known, datetime.now(UTC))) else "lost")
        else:
            telemetry.redirected("machine")
        headers = {**NOT_KEPT, "Location": target or fallback(public_url, known)}
        return Response(status_code=302, headers=headers)

    return router


def click(code: str, now: datetime) -> ReachClicked:
    """A click. It is its own aggregate: its id is its subject."""
    event_id = uuid4()
    return ReachClicked(event_id=event_id, occurred_at=now, subject_id=str(event_id), version=1, code=code)
