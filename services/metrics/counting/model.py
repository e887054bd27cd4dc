"""What an event of reach means for the counts. Pure.

Two kinds of figures are never added to each other. A *click* is counted by us, one by one. A *sample* is what a channel
says when asked: a cumulative figure stands for all time until it was observed, so a later observation takes its place; a
period's figure stands for its day alone, and a later observation of that day takes its place. What is summed are figures
of different deliveries. People reached are not summed at all: the same people may stand behind two figures.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from shared.events import DeliveryChanged, ReachClicked, ReachSampled
from shared.text.hashtags import by_key
from shared.text.short_codes import short_code

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
DAY_MS: Final = 86_400_000
CLICKS_SOURCE: Final = "links:redirect"

CLICKS: Final = "clicks"
REACHED: Final = "reached"
DELTA: Final = "delta"
CUMULATIVE: Final = "cumulative"
PERIOD: Final = "period"
NOBODY: Final = ""
"""Stands for "not given" where a dimension has no value."""
LARGEST: Final = 1 << 53
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class CountedClick(NamedTuple):
    """Somebody followed a short link. `at` in milliseconds since 1970."""

    id: int
    at: int
    code: str


class CountedSample(NamedTuple):
    """A channel's figure for one delivery. Times in milliseconds since 1970; `day` is empty for a cumulative figure."""

    id: int
    at: int
    code: str
    metric: str
    kind: str
    day: str
    audience: str
    value: int
    observed: int
    source: str


class Dims(NamedTuple):
    """By what a delivery's reach can be broken down; fixed from the moment the delivery is planned."""

    channel: str
    language: str
    country: str
    section: str
    hashtags: tuple[str, ...]


class CountedDelivery(NamedTuple):
    """A delivery as the counts know it."""

    code: str
    delivery_id: str
    submission_id: str
    dims: Dims


class FigureSpan(NamedTuple):
    """What one figure stands for. Figures of the same span that differ in audience are parts of one whole."""

    metric: str
    kind: str
    day: str


class ObservedFigure(NamedTuple):
    """A channel's answer."""

    value: int
    observed: int
    source: str

    def beats(self, other: "ObservedFigure | None") -> bool:
        """Whether it takes the other's place: observed later, or at the same instant and larger.

        So the order of arrival never matters.
        """
        return other is None or (self.observed, self.value, self.source) > (
            other.observed,
            other.value,
            other.source,
        )


class Cell(NamedTuple):
    """A place in the counters, before it is broken down by what the delivery is."""

    metric: str
    kind: str
    source: str
    day: str
    """For a cumulative figure the day on which it was last observed."""
    audience: str
    split: bool | None
    """Whether it belongs to the breakdowns by audience alone, to all others alone, or (None) to both."""


class Amount(NamedTuple):
    """What stands in a cell: a sum, of how many figures, the latest of them in milliseconds since 1970."""

    value: int
    figures: int
    as_of: int


class Change(NamedTuple):
    """What one entry of the journal adds to one cell of one delivery."""

    code: str
    cell: Cell
    value: int
    figures: int
    as_of: int


@lru_cache(maxsize=100_000)
def code_of(delivery_id: str) -> str:
    """The short link's code of a delivery: the first 50 bits of SHA-256 of its id, base32, lower case."""
    return short_code(delivery_id)


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970, cut off."""
    return (moment - EPOCH) // MILLISECOND


def moment(milliseconds_: int) -> datetime:
    """The time that `milliseconds` came from."""
    return datetime.fromtimestamp(milliseconds_ / 1000, UTC)


def day_of(milliseconds_: int) -> str:
    """The day in UTC, `YYYY-MM-DD`."""
    return _day(milliseconds_ // DAY_MS)


def end_of(day: str) -> int:
    """The last millisecond of a day."""
    return milliseconds(datetime.fromisoformat(day).replace(tzinfo=UTC)) + DAY_MS - 1


@lru_cache(maxsize=1024)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY_MS / 1000, UTC).date().isoformat()


def click_of(event: ReachClicked) -> CountedClick:
    """The click in an event."""
    return CountedClick(event.event_id.int, milliseconds(event.occurred_at), event.code)


def sample_of(event: ReachSampled) -> CountedSample:
    """The sample in an event. Raises `ValueError` for a period without a day, or a figure beyond all measure."""
    day = event.day or ""
    if event.kind == PERIOD and not DAY.fullmatch(day):
        text = f"a period's figure needs its day as YYYY-MM-DD (given: {event.day!r})"
        raise ValueError(text)
    if event.value > LARGEST:
        text = f"{event.value} is larger than any figure that can be measured"
        raise ValueError(text)
    return CountedSample(
        id=event.event_id.int,
        at=milliseconds(event.occurred_at),
        code=code_of(event.subject_id),
        metric=event.metric,
        kind=event.kind,
        day=day if event.kind == PERIOD else "",
        audience=event.audience_country or NOBODY,
        value=event.value,
        observed=milliseconds(event.observed_at),
        source=event.source,
    )


def delivery_of(event: DeliveryChanged) -> CountedDelivery:
    """The delivery in an event. Hashtags that its language takes for one are counted as one, by their comparison key."""
    hashtags = tuple(by_key(event.hashtags, event.language))
    dims = Dims(event.channel, event.language, event.country, event.section or NOBODY, hashtags)
    return CountedDelivery(event.code, event.subject_id, event.submission_id, dims)


def whole(by_audience: Mapping[str, ObservedFigure]) -> int:
    """The one value of a span: what the channel said for everybody, or else the sum of the parts that it gave."""
    if NOBODY in by_audience:
        return by_audience[NOBODY].value
    return sum(figure.value for figure in by_audience.values())


def standing(span: FigureSpan, by_audience: Mapping[str, ObservedFigure]) -> dict[Cell, Amount]:
    """Where the figures of one span of one delivery stand in the counters.

    A total and its parts by audience are the same people twice: breakdowns by audience take the parts when there are any,
    all others the total when there is one.
    """
    cells: dict[Cell, Amount] = {}
    if span.metric == REACHED:
        return cells
    if len(by_audience) == 1 and NOBODY in by_audience:
        figure = by_audience[NOBODY]
        day = span.day or day_of(figure.observed)
        cell = Cell(span.metric, span.kind, figure.source, day, NOBODY, None)
        return {cell: Amount(figure.value, 1, figure.observed)}
    parts = {audience: figure for audience, figure in by_audience.items() if audience != NOBODY}
    total = {NOBODY: by_audience[NOBODY]} if NOBODY in by_audience else {}
    choices: tuple[tuple[bool | None, dict[str, ObservedFigure]], ...] = (
        ((False, total or parts), (True, parts)) if parts else ((None, total),)
    )
    for split, chosen in choices:
        for audience, figure in chosen.items():
            cell = Cell(
                span.metric,
                span.kind,
                figure.source,
                span.day or day_of(figure.observed),
                audience if split else NOBODY,
                split,
            )
            before = cells.get(cell, Amount(0, 0, 0))
            cells[cell] = Amount(
                before.value + figure.value, before.figures + 1, max(before.as_of, figure.observed)
            )
    return cells


def changes(code: str, before: Mapping[Cell, Amount], after: Mapping[Cell, Amount]) -> list[Change]:
    """What must be added to get from one standing to the other."""
    nothing = Amount(0, 0, 0)
    found = []
    for cell in {**before, **after}:
        old, new = before.get(cell, nothing), after.get(cell, nothing)
        if old != new:
            found.append(Change(code, cell, new.value - old.value, new.figures - old.figures, new.as_of))
    return found


def click_changes(code: str, by_day: Mapping[str, int], latest: int) -> Iterable[Change]:
    """What clicks add that were counted before their delivery was known. `latest` is when the last one was."""
    for day, count in by_day.items():
        cell = Cell(CLICKS, DELTA, CLICKS_SOURCE, day, NOBODY, split=None)
        yield Change(code, cell, count, count, min(latest, end_of(day)))
