"""Answers to `GET /v1/reach`: breakdowns read from the counters, or, for what they don't hold, from the accounts."""

import asyncio
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import product
from typing import Final, NamedTuple

from services.metrics.counting.delivery_reach import DeliveryReach, KnownReach
from services.metrics.counting.model import (
    CLICKS,
    CLICKS_SOURCE,
    DAY,
    DELTA,
    NOBODY,
    REACHED,
    CountedDelivery,
    Dims,
    end_of,
    standing,
)
from services.metrics.counting.service import Counts
from services.metrics.counting.sums import (
    ALL_TIME,
    AUDIENCE,
    DIMENSIONS,
    BreakdownRow,
    ByMeasure,
    Measure,
    Table,
    by_measure,
    joined,
    name_of,
    rows,
)

DAY_DIMENSION: Final = "day"
BY: Final = (*DIMENSIONS, DAY_DIMENSION)
PAIR: Final = 2
FIRST_DAY: Final = "0001-01-01"
LAST_DAY: Final = "9999-12-31"
MOST_MONTHS: Final = 600
AT_ONCE: Final = 100
"""Accounts that are walked through before others are served."""
KEPT_ANSWERS: Final = 100

Sees = Callable[[Dims], bool]
"""Whether somebody may see the reach of such a delivery."""


@dataclass(frozen=True, slots=True)
class ReachQuestion:
    """A breakdown that somebody asks for. Days `YYYY-MM-DD`, both included."""

    by: tuple[str, ...] = ()
    first: str = FIRST_DAY
    last: str = LAST_DAY

    @property
    def group(self) -> tuple[str, ...]:
        """The dimensions that the counters name, in their order."""
        return tuple(dimension for dimension in DIMENSIONS if dimension in self.by)

    @property
    def by_day(self) -> bool:
        """Whether days are told apart."""
        return DAY_DIMENSION in self.by

    @property
    def bounded(self) -> bool:
        """Whether some days are left out."""
        return (self.first, self.last) != (FIRST_DAY, LAST_DAY)


class Breakdown(NamedTuple):
    """Rows measure by measure, the largest first. `columns` names their values; an empty value is none."""

    columns: tuple[str, ...]
    rows: list[BreakdownRow]


def cover(first: str, last: str) -> list[str] | None:
    """The fewest periods that make up these days: whole months, and days at the ends. None when they are too many. Pure."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    if (end.year - start.year) * 12 + end.month - start.month > MOST_MONTHS:
        return None
    periods = []
    day = start
    while day <= end:
        month_end = day.replace(day=monthrange(day.year, day.month)[1])
        whole = day.day == 1 and month_end <= end
        periods.append(day.isoformat()[:7] if whole else day.isoformat())
        if (last_day := month_end if whole else day) == date.max:
            break
        day = last_day + timedelta(days=1)
    return periods


class Breakdowns:
    """Answers questions. What was read for one is kept for the next, as long as nothing more was counted."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._people: dict[ReachQuestion, tuple[KnownReach, int, ByMeasure]] = {}
        """The answers about people reached, with the state that they were worked out on."""
        self._reached: dict[str, _Reached] = {}

    async def answer(self, question: ReachQuestion, sees: Sees | None = None) -> Breakdown:
        """The rows of a breakdown; with `sees`, of those deliveries alone that somebody may see."""
        columns = (*question.group, DAY_DIMENSION) if question.by_day else question.group
        asked = replace(question, by=columns)
        accounts = self._counts.accounts
        if sees is None and len(question.group) <= PAIR:
            parts = [*await self._from_counters(asked), await self._people_reached(asked)]
        else:
            chosen = [
                account
                for account in accounts.by_code.values()
                if account.delivery is not None and (sees is None or sees(account.delivery.dims))
            ]
            parts = [by_measure(await walk(chosen, asked, summed=summed)) for summed in (True, False)]
        return Breakdown(columns, joined(parts))

    async def _from_counters(self, question: ReachQuestion) -> list[ByMeasure]:
        counters, group = self._counts.counters, name_of(question.group)
        head = await self._counts.head()
        generation, folded = head["generation"], head["folded"]
        if question.by_day:
            return await counters.by_day(group, generation, question.first, question.last, folded)
        periods = cover(question.first, question.last) if question.bounded else [ALL_TIME]
        if periods is None:
            days = await counters.days(group, generation, question.first, question.last)
            return [by_measure(rows(days.values()))]
        if len(periods) == 1 and not DAY.fullmatch(periods[0]):
            return [await counters.whole(Table(periods[0], group), generation, folded)]
        tables = await counters.read([Table(period, group) for period in periods], generation)
        return [by_measure(rows(tables.values()))]

    async def _people_reached(self, question: ReachQuestion) -> ByMeasure:
        accounts = self._counts.accounts
        kept = self._people.get(question)
        if kept is not None and kept[0] is accounts and kept[1] == accounts.people_changed:
            return kept[2]
        changed = accounts.people_changed
        places: Places = {}
        for number, (code, change) in enumerate(list(accounts.with_people.items())):
            account = accounts.by_code[code]
            if account.delivery is not None:
                stands = self._reached_by(code, account, change).stands(question)
                _put(account.delivery, stands, question, places, summed=False)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        found = by_measure(rows_in(places))
        if len(self._people) >= KEPT_ANSWERS:
            self._people.clear()
        self._people[question] = (accounts, changed, found)
        return found

    def _reached_by(self, code: str, account: DeliveryReach, change: int) -> "_Reached":
        """Where a delivery's figures of people reached stand, worked out when they have changed."""
        known = self._reached.get(code)
        if known is None or known.account is not account or known.change != change:
            known = self._reached[code] = _Reached(
                account,
                change,
                tuple(_stands(account, by_audience=False, summed=False)),
                tuple(_stands(account, by_audience=True, summed=False)),
            )
        return known


class _Stand(NamedTuple):
    """One figure of one delivery."""

    measure: Measure
    day: str
    audience: str
    value: int
    figures: int
    as_of: int


class _Reached(NamedTuple):
    """One delivery's figures of people reached, as of a change."""

    account: DeliveryReach
    change: int
    whole: tuple[_Stand, ...]
    by_audience: tuple[_Stand, ...]

    def stands(self, question: ReachQuestion) -> tuple[_Stand, ...]:
        """Those that belong to an answer."""
        return self.by_audience if AUDIENCE in question.by else self.whole


def _stands(account: DeliveryReach, *, by_audience: bool, summed: bool) -> Iterator[_Stand]:
    if summed:
        measure = Measure(CLICKS, DELTA, CLICKS_SOURCE)
        for day, count in account.clicks.items():
            yield _Stand(measure, day, NOBODY, count, count, min(account.clicked_at, end_of(day)))
    for span, figures in account.figures.items():
        if (span.metric == REACHED) is summed:
            continue
        # People reached stand in no sum: they are looked at one by one.
        shown = span._replace(metric="views") if span.metric == REACHED else span
        for cell, amount in standing(shown, figures).items():
            if cell.split in {None, by_audience}:
                measure = Measure(span.metric, span.kind, cell.source)
                yield _Stand(measure, cell.day, cell.audience, *amount)


Places = dict[tuple[Measure, tuple[str, ...]], tuple[int, int]]


async def walk(
    accounts: Sequence[DeliveryReach], question: ReachQuestion, *, summed: bool
) -> list[BreakdownRow]:
    """A breakdown by any number of dimensions, account by account: of what is summed, or of the people reached.

    Others are served in between, however many accounts there are.
    """
    places: Places = {}
    by_audience = AUDIENCE in question.by
    for start in range(0, len(accounts), AT_ONCE):
        for account in accounts[start : start + AT_ONCE]:
            if account.delivery is not None:
                stands = _stands(account, by_audience=by_audience, summed=summed)
                _put(account.delivery, stands, question, places, summed=summed)
        await asyncio.sleep(0)
    return rows_in(places)


def rows_in(places: Places) -> list[BreakdownRow]:
    """What stands where, as rows. Pure."""
    return [BreakdownRow(values, measure, *place) for (measure, values), place in places.items()]


def _put(
    delivery: CountedDelivery,
    stands: Iterable[_Stand],
    question: ReachQuestion,
    places: Places,
    *,
    summed: bool,
) -> None:
    for stand in stands:
        if stand.figures <= 0 or not question.first <= stand.day <= question.last:
            continue
        for values in product(*(_options(delivery, stand, name) for name in question.by)):
            key = (stand.measure, values)
            value, as_of = places.get(key, (0, 0))
            places[key] = (
                (value + stand.value, max(as_of, stand.as_of))
                if summed
                else max((value, as_of), (stand.value, stand.as_of))
            )


def _options(delivery: CountedDelivery, stand: _Stand, dimension: str) -> Sequence[str]:
    if dimension == "hashtag":
        return delivery.dims.hashtags or (NOBODY,)
    if dimension == AUDIENCE:
        return (stand.audience,)
    if dimension == DAY_DIMENSION:
        return (stand.day,)
    return (getattr(delivery.dims, dimension),)
