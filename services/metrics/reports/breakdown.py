"""Answers to `GET /v1/reach`: breakdowns read from the counters, or, for what they don't hold, from the accounts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from typing import Final, NamedTuple

from services.metrics.counting.delivery_reach import Account
from services.metrics.counting.model import (
    CLICKS,
    CLICKS_SOURCE,
    DELTA,
    NOBODY,
    REACHED,
    Delivery,
    end_of,
    standing,
)
from services.metrics.counting.service import Counts
from services.metrics.counting.sums import ALL_TIME, AUDIENCE, DIMENSIONS, Measure, Row, Table, name_of, rows

DAY_DIMENSION: Final = "day"
BY: Final = (*DIMENSIONS, DAY_DIMENSION)
PAIR: Final = 2
FIRST_DAY: Final = "0001-01-01"
LAST_DAY: Final = "9999-12-31"
MOST_MONTHS: Final = 600


@dataclass(frozen=True, slots=True)
class Question:
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


class Answer(NamedTuple):
    """One row: a value for each dimension asked for, empty where there is none."""

    values: dict[str, str]
    row: Row


def cover(first: str, last: str) -> list[str] | None:
    """The fewest periods that make up these days: whole months, and days at the ends. None when they are too many. Pure."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    if (end.year - start.year) * 12 + end.month - start.month > MOST_MONTHS:
        return None
    periods = []
    day = start
    while day <= end:
        after = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        if day.day == 1 and after - timedelta(days=1) <= end:
            periods.append(day.isoformat()[:7])
            day = after
        else:
            periods.append(day.isoformat())
            day += timedelta(days=1)
    return periods


async def answer(counts: Counts, question: Question) -> list[Answer]:
    """The rows of a breakdown, the largest first."""
    if len(question.group) > PAIR:
        found = list(walk(counts.accounts.by_code.values(), question, summed=True))
    else:
        found = await _from_counters(counts, question)
    accounts = counts.accounts
    found += walk([accounts.by_code[code] for code in accounts.with_people], question, summed=False)
    by_measure: dict[Measure, list[Answer]] = {}
    for one in found:
        by_measure.setdefault(one.row.measure, []).append(one)
    for answers in by_measure.values():
        answers.sort(key=lambda one: (-one.row.value, one.row.values))
    return [one for measure in sorted(by_measure) for one in by_measure[measure]]


async def _from_counters(counts: Counts, question: Question) -> list[Answer]:
    generation, group = counts.accounts.generation, question.group
    name = name_of(group)
    if question.by_day or (question.bounded and cover(question.first, question.last) is None):
        days = await counts.counters.days(name, generation, question.first, question.last)
        if question.by_day:
            return [_answer(question, row, day) for day, sums in days.items() for row in rows([sums])]
        return [_answer(question, row) for row in rows(days.values())]
    periods = (cover(question.first, question.last) or []) if question.bounded else [ALL_TIME]
    tables = await counts.counters.read([Table(period, name) for period in periods], generation)
    return [_answer(question, row) for row in rows(tables.values())]


def _answer(question: Question, row: Row, day: str = "") -> Answer:
    values = dict(zip(question.group, row.values, strict=True))
    if question.by_day:
        values[DAY_DIMENSION] = day
    return Answer(values, row)


class _Stand(NamedTuple):
    """One figure of one delivery."""

    measure: Measure
    day: str
    audience: str
    value: int
    figures: int
    as_of: int


def _stands(account: Account, *, by_audience: bool, summed: bool) -> Iterator[_Stand]:
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


def walk(accounts: Iterable[Account], question: Question, *, summed: bool) -> list[Answer]:
    """A breakdown by any number of dimensions, account by account: of what is summed, or of the people reached. Pure."""
    sums: dict[tuple[Measure, tuple[str, ...]], tuple[int, int]] = {}
    for account in accounts:
        if account.delivery is None:
            continue
        for stand in _stands(account, by_audience=AUDIENCE in question.by, summed=summed):
            if stand.figures <= 0 or not question.first <= stand.day <= question.last:
                continue
            for values in product(*(_options(account.delivery, stand, name) for name in question.by)):
                key = (stand.measure, values)
                value, as_of = sums.get(key, (0, 0))
                sums[key] = (
                    (value + stand.value, max(as_of, stand.as_of))
                    if summed
                    else max((value, as_of), (stand.value, stand.as_of))
                )
    return [
        Answer(dict(zip(question.by, values, strict=True)), Row(values, measure, *place))
        for (measure, values), place in sums.items()
    ]


def _options(delivery: Delivery, stand: _Stand, dimension: str) -> Sequence[str]:
    if dimension == "hashtag":
        return delivery.dims.hashtags or (NOBODY,)
    if dimension == AUDIENCE:
        return (stand.audience,)
    if dimension == DAY_DIMENSION:
        return (stand.day,)
    return (getattr(delivery.dims, dimension),)
