"""What is told of a submission's reach, and of the campaign's. Pure.

People reached are never summed: the largest single figure is told, as the number of people who were reached at least.
Cumulative figures and periods are never added either: where there is a cumulative figure, it is the answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from services.metrics.counting.delivery_reach import DeliveryReach, KnownReach
from services.metrics.counting.model import (
    CLICKS,
    CLICKS_SOURCE,
    CUMULATIVE,
    DELTA,
    PERIOD,
    REACHED,
    ObservedFigure,
    whole,
)
from services.metrics.counting.sums import BreakdownRow

LARGEST: Final = "largest single figure"


class Total(NamedTuple):
    """A figure with its source and time (milliseconds since 1970)."""

    value: int
    source: str
    as_of: int


def joined(sources: Iterable[str]) -> str:
    """Several sources as one text."""
    return ", ".join(sorted(set(sources)))


def summed(figures: Sequence[Total]) -> Total | None:
    """The sum of figures of different deliveries; none when there are none."""
    if not figures:
        return None
    sources = joined(figure.source for figure in figures)
    return Total(sum(one.value for one in figures), sources, max(one.as_of for one in figures))


def of_span(by_audience: Mapping[str, ObservedFigure]) -> Total:
    """One span of a delivery as one figure."""
    chosen = [by_audience[""]] if "" in by_audience else list(by_audience.values())
    return Total(
        whole(by_audience), joined(one.source for one in chosen), max(one.observed for one in chosen)
    )


def totals_of(accounts: Sequence[DeliveryReach]) -> dict[str, Total]:
    """The latest totals of a submission, over its deliveries. Our own clicks stand for `clicks`."""
    sampled: dict[tuple[str, str], list[Total]] = {}
    for account in accounts:
        for span, figures in account.figures.items():
            sampled.setdefault((span.metric, span.kind), []).append(of_span(figures))
    found: dict[str, Total] = {}
    for kind in (PERIOD, CUMULATIVE):
        for (metric, its_kind), measured in sampled.items():
            total = largest(measured) if metric == REACHED else summed(measured)
            if its_kind == kind and total is not None:
                found[metric] = total
    clicks = sum(sum(account.clicks.values()) for account in accounts)
    if clicks:
        found[CLICKS] = Total(clicks, CLICKS_SOURCE, max(account.clicked_at for account in accounts))
    return found


def largest(figures: Sequence[Total]) -> Total | None:
    """The largest of figures that must not be added."""
    if not figures:
        return None
    top = max(figures, key=lambda one: (one.value, one.as_of))
    return Total(top.value, f"{LARGEST}: {top.source}" if len(figures) > 1 else top.source, top.as_of)


def reached(accounts: KnownReach) -> Total | None:
    """The largest number of people that one delivery is known to have reached."""
    found = [
        of_span(figures)
        for code in accounts.with_people
        for span, figures in accounts.by_code[code].figures.items()
        if span.metric == REACHED
    ]
    return largest(found)


def over_all(rows: Iterable[BreakdownRow], metric: str, *kinds: str) -> Total | None:
    """The campaign's total of a metric, of the first of these kinds that was measured."""
    of_metric = [row for row in rows if row.measure.metric == metric]
    for kind in kinds:
        if chosen := [row for row in of_metric if row.measure.kind == kind]:
            return summed([Total(row.value, row.measure.source, row.as_of) for row in chosen])
    return None


def views(rows: Sequence[BreakdownRow]) -> Total | None:
    """The campaign's views."""
    return over_all(rows, "views", CUMULATIVE, PERIOD)


def clicks(rows: Sequence[BreakdownRow]) -> Total | None:
    """The campaign's clicks on its own short links."""
    return over_all(rows, CLICKS, DELTA)
