"""The counters: sums by every pair of dimensions, ready to be read. Pure; documents in and out.

One document for each period (all time, a month, a day) and each grouping (by nothing, by one or by two dimensions). In it,
for each measure (metric, kind, source) and combination of values, the sum, the number of figures in it and the latest time.
Any two-way breakdown is a few documents, however many events were counted. A delivery with three hashtags stands in three
places of a breakdown by hashtag.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain, combinations
from operator import attrgetter
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from services.metrics.counting.delivery_reach import JournalEntry
from services.metrics.counting.model import CLICKS, CLICKS_SOURCE, DELTA, NOBODY, Cell, Dims

DIMENSIONS: Final = ("channel", "language", "country", "section", "hashtag", "audience_country")
"""In the order in which groupings name them. `day` comes from the documents."""
AUDIENCE: Final = "audience_country"
GROUPINGS: Final = tuple(group for size in range(3) for group in combinations(DIMENSIONS, size))
ALL_TIME: Final = "all"
WHOLE: Final = "*"
"""The grouping by nothing."""
_VALUE: Final = attrgetter("value")


class Measure(NamedTuple):
    """What is counted, how, and who says so."""

    metric: str
    kind: str
    source: str


class BreakdownRow(NamedTuple):
    """One figure of a breakdown. `values` in the order of the grouping; times in milliseconds since 1970."""

    values: tuple[str, ...]
    measure: Measure
    value: int
    as_of: int


ByMeasure = Mapping[Measure, Sequence[BreakdownRow]]
"""Rows by what they measure, the largest first."""

CLICKED: Final = Measure(CLICKS, DELTA, CLICKS_SOURCE)


def name_of(group: Iterable[str]) -> str:
    """A grouping's name in a document."""
    return "+".join(group) or WHOLE


def key_of(*values: str) -> str:
    """Values as one name of a field: nothing in it that a database reads, and never empty."""
    return "".join(map(_part, values))


@lru_cache(maxsize=20_000)
def _part(value: str) -> str:
    return f"{quote(value, safe='').replace('.', '%2E')}|"


def values_of(key: str) -> tuple[str, ...]:
    """What `key_of` was given."""
    return tuple(unquote(part) for part in key.split("|")[:-1])


@cache
def _name(group: tuple[str, ...]) -> str:
    return name_of(group)


class Table(NamedTuple):
    """One counter document: which period, which grouping."""

    period: str
    group: str


Sums = dict[str, list[int]]
"""By measure and values (`key_of`): sum, number of figures, latest time in milliseconds since 1970."""


@lru_cache(maxsize=50_000)
def places(dims: Dims, measure: Measure, audience: str, split: bool | None) -> tuple[tuple[str, str], ...]:  # noqa: FBT001 - a cell's own field
    """Where a delivery's figure stands: for each grouping its combinations, as `(grouping, key)`."""
    values = {
        "channel": (dims.channel,),
        "language": (dims.language,),
        "country": (dims.country,),
        "section": (dims.section,),
        "hashtag": dims.hashtags or (NOBODY,),
        AUDIENCE: (audience,),
    }
    what, found = key_of(*measure), []
    for group in GROUPINGS:
        if split is not None and (AUDIENCE in group) is not split:
            continue
        keys = [what]
        for dimension in group:
            keys = [key + _part(value) for key in keys for value in values[dimension]]
        name = _name(group)
        found += [(name, key) for key in keys]
    return tuple(dict.fromkeys(found))


def add(sums: Sums, key: str, value: int, figures: int, as_of: int) -> None:
    """Add to one place."""
    place = sums.get(key)
    if place is None:
        sums[key] = [value, figures, as_of]
        return
    place[0] += value
    place[1] += figures
    place[2] = max(place[2], as_of)


def merge(into: Sums, more: Mapping[str, Sequence[int]]) -> Sums:
    """Add whole sums. A place in which nothing is left keeps its time, so that the parts may be added in any portions."""
    for key, place in more.items():
        add(into, key, *place)
    return into


def postings(entries: Sequence[JournalEntry], dims_of: Callable[[str], Dims]) -> dict[Table, Sums]:
    """What the entries add, by counter document. `dims_of` knows every code that an entry calls known."""
    days: dict[str, dict[str, Sums]] = defaultdict(lambda: defaultdict(dict))
    for (dims, day), (count, at) in _clicks(entries, dims_of).items():
        groups = days[day]
        for group, key in places(dims, CLICKED, NOBODY, split=None):
            add(groups[group], key, count, count, at)
    for (dims, cell), (value, figures, as_of) in _changes(entries, dims_of).items():
        groups = days[cell.day]
        measure = Measure(cell.metric, cell.kind, cell.source)
        for group, key in places(dims, measure, cell.audience, split=cell.split):
            add(groups[group], key, value, figures, as_of)
    found: dict[Table, Sums] = {}
    for day, groups in days.items():
        for group, sums in groups.items():
            found[Table(day, group)] = sums
            for period in (day[:7], ALL_TIME):
                merge(found.setdefault(Table(period, group), {}), sums)
    return found


def _clicks(
    entries: Sequence[JournalEntry], dims_of: Callable[[str], Dims]
) -> dict[tuple[Dims, str], tuple[int, int]]:
    """How many clicks there were, and when the last was, by what the delivery is and by day."""
    found: dict[tuple[Dims, str], tuple[int, int]] = {}
    for entry in entries:
        for (code, day), (count, latest) in entry.clicked().items():
            if code not in entry.strays:
                key = (dims_of(code), day)
                before, at = found.get(key, (0, 0))
                found[key] = (before + count, max(at, latest))
    return found


def _changes(
    entries: Sequence[JournalEntry], dims_of: Callable[[str], Dims]
) -> dict[tuple[Dims, Cell], tuple[int, int, int]]:
    """What samples change in all, by what the delivery is and by cell."""
    found: dict[tuple[Dims, Cell], tuple[int, int, int]] = {}
    for entry in entries:
        for code, cell, value, figures, as_of in entry.changes:
            key = (dims_of(code), cell)
            before = found.get(key, (0, 0, 0))
            found[key] = (before[0] + value, before[1] + figures, max(before[2], as_of))
    return found


def by_measure(found: Iterable[BreakdownRow]) -> ByMeasure:
    """Rows measure by measure, the largest first."""
    parts: dict[Measure, list[BreakdownRow]] = {}
    for row in found:
        parts.setdefault(row.measure, []).append(row)
    for part in parts.values():
        part.sort(key=lambda row: (-row.value, row.values))
    return parts


def joined(parts: Sequence[ByMeasure]) -> list[BreakdownRow]:
    """All rows, measure by measure, the largest first. Each part is in order already."""
    found: list[BreakdownRow] = []
    for measure in sorted({measure for part in parts for measure in part}):
        own = [part[measure] for part in parts if measure in part]
        found += own[0] if len(own) == 1 else sorted(chain(*own), key=_VALUE, reverse=True)
    return found


@lru_cache(maxsize=20_000)
def _value(part: str) -> str:
    return unquote(part)


@lru_cache(maxsize=1_000)
def _measure(metric: str, kind: str, source: str) -> Measure:
    return Measure(unquote(metric), unquote(kind), unquote(source))


def rows(tables: Iterable[Mapping[str, Sequence[int]]]) -> list[BreakdownRow]:
    """The figures of one grouping, summed over counters of periods that don't overlap."""
    whole: Mapping[str, Sequence[int]] = {}
    several: Sums | None = None
    for table in tables:
        if not whole:
            whole = table
        else:
            several = merge(
                {key: list(place) for key, place in whole.items()} if several is None else several, table
            )
            whole = several
    found = []
    for key, (value, figures, as_of) in whole.items():
        if figures > 0:
            metric, kind, source, *values, _ = key.split("|")
            found.append(
                BreakdownRow(tuple(map(_value, values)), _measure(metric, kind, source), value, as_of)
            )
    return found
