"""What the reach page shows, put together from rows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from services.metrics.counting.model import CUMULATIVE, REACHED, moment
from services.metrics.counting.sums import BreakdownRow
from services.metrics.reports.breakdown import Breakdown
from services.metrics.reports.totals import joined

BARS: Final = 12
COLUMNS: Final = 6
LINES: Final = 20
POINTS: Final = 92
"""Days on a trend line at most: the latest."""


class Shown(NamedTuple):
    """A metric as one kind of figure: what the page shows at a time."""

    metric: str
    kind: str

    @property
    def name(self) -> str:
        """As it stands in an address."""
        return f"{self.metric}.{self.kind}"


@dataclass(frozen=True, slots=True)
class Ranked:
    """One dimension's values, the largest first."""

    dimension: str
    bars: tuple[tuple[str, int], ...]
    left_out: int
    """Further values that are not shown."""
    source: str
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Crossed:
    """Two dimensions against each other. A value is missing where nothing was measured."""

    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[int | None, ...]], ...]
    left_out: int


def measures(totals: Breakdown) -> list[Shown]:
    """What was measured: views first, then our clicks, then the rest by name."""
    found = {Shown(row.measure.metric, row.measure.kind) for row in totals.rows}
    first = ["views", "clicks"]
    return sorted(found, key=lambda one: (first.index(one.metric) if one.metric in first else 9, one))


def choose(measured: Sequence[Shown], asked: str | None) -> Shown | None:
    """What is asked for, or else the first there is."""
    return next((one for one in measured if one.name == asked), measured[0] if measured else None)


def _values(answer: Breakdown, shown: Shown, *dimensions: str) -> dict[tuple[str, ...], int]:
    """One value per combination, whatever the sources: a sum of counts, the largest of people reached."""
    found: dict[tuple[str, ...], int] = {}
    places = [answer.columns.index(dimension) for dimension in dimensions]
    for row in _of(answer, shown):
        key = tuple(row.values[place] for place in places)
        if shown.metric == REACHED:
            found[key] = max(found.get(key, 0), row.value)
        else:
            found[key] = found.get(key, 0) + row.value
    return found


def _of(answer: Breakdown, shown: Shown) -> list[BreakdownRow]:
    return [row for row in answer.rows if (row.measure.metric, row.measure.kind) == shown]


def ranked(answer: Breakdown, shown: Shown, dimension: str) -> Ranked:
    """One dimension, ranked."""
    values = _values(answer, shown, dimension)
    order = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    mine = _of(answer, shown)
    return Ranked(
        dimension,
        tuple((key[0], value) for key, value in order[:BARS]),
        max(0, len(order) - BARS),
        joined(row.measure.source for row in mine),
        max((moment(row.as_of) for row in mine), default=None),
    )


def crossed(answer: Breakdown, shown: Shown, first: str, second: str) -> Crossed:
    """Two dimensions against each other, the largest lines and columns first."""
    values = _values(answer, shown, first, second)
    lines: dict[str, int] = {}
    columns: dict[str, int] = {}
    for (line, column), value in values.items():
        lines[line] = lines.get(line, 0) + value
        columns[column] = columns.get(column, 0) + value
    top_lines = sorted(lines, key=lambda one: (-lines[one], one))
    top_columns = sorted(columns, key=lambda one: (-columns[one], one))[:COLUMNS]
    return Crossed(
        tuple(top_columns),
        tuple(
            (line, tuple(values.get((line, column)) for column in top_columns)) for line in top_lines[:LINES]
        ),
        max(0, len(lines) - LINES) + max(0, len(columns) - COLUMNS),
    )


def trend(answer: Breakdown, shown: Shown) -> list[tuple[date, int]]:
    """The days in their order, those without anything between them too. A cumulative figure has no trend."""
    if shown.kind == CUMULATIVE:
        return []
    values = {date.fromisoformat(day): value for (day,), value in _values(answer, shown, "day").items()}
    if not values:
        return []
    last = max(values)
    first = max(min(values), last - timedelta(days=POINTS - 1))
    return [
        (day, values.get(day, 0))
        for day in (first + timedelta(days=n) for n in range((last - first).days + 1))
    ]
