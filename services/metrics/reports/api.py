"""Metrics over HTTP: breakdowns of reach, the campaign's figures."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel

from services.metrics.census.store import Census
from services.metrics.counting.model import moment
from services.metrics.counting.service import Counts
from services.metrics.counting.sums import BreakdownRow
from services.metrics.reports.breakdown import BY, FIRST_DAY, LAST_DAY, Breakdowns, ReachQuestion, Sees
from services.metrics.reports.campaign import NAMES, figures_of
from shared.http.problems import Problem
from shared.identity.tokens import Guard, Principal

MOST_ROWS: Final = 10_000
"""Rows in one answer."""
LARGEST_CURSOR: Final = 1 << 31


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


class ReachRow(BaseModel):
    """One figure. Of the dimensions those that were asked for; null where a delivery has none."""

    channel: str | None = None
    language: str | None = None
    country: str | None = None
    """Where the submissions came from."""
    section: str | None = None
    hashtag: str | None = None
    audience_country: str | None = None
    """Where the reach happened."""
    day: str | None = None
    metric: str
    value: int
    kind: str
    source: str
    as_of: AwareDatetime


class ReachAnswer(BaseModel):
    """A breakdown of reach."""

    items: list[ReachRow]
    next: str | None = None


def question_of(by: str | None, first: str | None, last: str | None) -> ReachQuestion:
    """The question in a query. Raises `Problem` (422) for an unknown dimension or day, and for days that are none. Pure."""
    asked = tuple(dict.fromkeys(name.strip() for name in (by or "").split(",") if name.strip()))
    for name in asked:
        if name not in BY:
            known = ", ".join(BY)
            raise Problem(
                422, "unknown_dimension", f"There is no dimension {name[:80]!r}. Ask by any of: {known}."
            )
    question = ReachQuestion(asked, day_in("from", first) or FIRST_DAY, day_in("to", last) or LAST_DAY)
    if question.first > question.last:
        raise Problem(
            422,
            "empty_range",
            f"No day lies between `from` {question.first} and `to` {question.last}: `from` is the later one.",
        )
    return question


def day_in(name: str, given: str | None) -> str | None:
    """The day (UTC) in a parameter. Raises `Problem` (422) when it says none. Pure."""
    if not given:
        return None
    try:
        if "T" in given:
            # A plus sign in a query is read as a space.
            at = datetime.fromisoformat(given.replace(" ", "+"))
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).date().isoformat()
        return date.fromisoformat(given).isoformat()
    except (ValueError, OverflowError):
        raise Problem(
            422,
            "unknown_day",
            f"`{name}` is {given[:80]!r}. Give a day as YYYY-MM-DD, or a time as RFC 3339.",
        ) from None


def row_of(row: BreakdownRow, columns: Mapping[str, int]) -> ReachRow:
    """A row as it is answered; `columns` says where each dimension stands. Pure."""
    measure = row.measure
    values: dict[str, Any] = {name: row.values[place] or None for name, place in columns.items()}
    return ReachRow.model_construct(
        **values,
        metric=measure.metric,
        value=row.value,
        kind=measure.kind,
        source=measure.source,
        as_of=moment(row.as_of),
    )


def seen_by(who: Principal) -> Sees | None:
    """Which deliveries' reach somebody may see; none says all. Pure."""
    if who.sees_all:
        return None
    return lambda dims: who.may_see(
        country=dims.country, language=dims.language, section=dims.section or None
    )


def routes(breakdowns: Breakdowns, counts: Counts, census: Census, guard: Guard) -> APIRouter:
    """The API."""
    router = APIRouter()

    @router.get("/v1/reach", response_model_exclude_unset=True)
    async def reach(
        who: Annotated[Principal, Depends(guard.staff)],
        by: Annotated[str | None, Query(description=f"Any of {', '.join(BY)}, separated by commas.")] = None,
        from_: Annotated[str | None, Query(alias="from", description="First day (UTC).")] = None,
        to: Annotated[str | None, Query(description="Last day (UTC).")] = None,
        cursor: Annotated[int, Query(ge=0, le=LARGEST_CURSOR, description="From `next`.")] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = MOST_ROWS,
    ) -> ReachAnswer:
        """Reach within your scopes, broken down. `kind` says what a figure is; figures of different kinds are never added.

        `delta` counts what happened in these days, `period` sums what channels say of these days, `cumulative` is for all
        time and shown when it was observed last in these days. `reached` is the largest single figure, never a sum.
        """
        question = question_of(by, from_, to)
        found = await breakdowns.answer(question, seen_by(who))
        columns = {name: found.columns.index(name) for name in question.by}
        rows = found.rows[cursor : cursor + limit]
        left = len(found.rows) > cursor + limit
        return ReachAnswer(
            items=[row_of(row, columns) for row in rows], next=str(cursor + limit) if left else None
        )

    @router.get("/v1/campaign")
    async def campaign() -> CampaignAnswer:
        """The campaign's figures, for everybody."""
        found = await figures_of(census, counts)
        return CampaignAnswer(
            **{
                name: None if (one := found[name]) is None else CampaignFigure(**one._asdict())
                for name in NAMES
            }
        )

    return router
