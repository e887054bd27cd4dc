"""What is told of a submission's and the campaign's reach."""

from services.metrics.counting.delivery_reach import DeliveryReach, KnownReach
from services.metrics.counting.model import FigureSpan, ObservedFigure
from services.metrics.counting.sums import BreakdownRow, Measure
from services.metrics.reports.totals import Total, clicks, reached, totals_of, views


def account(*figures: tuple[str, str, ObservedFigure], clicked: int = 0) -> DeliveryReach:
    made = DeliveryReach(clicks={"2026-11-20": clicked} if clicked else {}, clicked_at=clicked and 99)
    for metric, kind, figure in figures:
        made.figures[FigureSpan(metric, kind, "" if kind == "cumulative" else "2026-11-20")] = {"": figure}
    return made


def row(metric: str, kind: str, value: int, source: str = "s") -> BreakdownRow:
    return BreakdownRow((), Measure(metric, kind, source), value, 7)


def test_views_of_deliveries_are_added_and_their_sources_named() -> None:
    told = totals_of(
        [
            account(("views", "cumulative", ObservedFigure(100, 5, "youtube:videos"))),
            account(("views", "cumulative", ObservedFigure(30, 9, "website:log"))),
        ]
    )

    assert told == {"views": Total(130, "website:log, youtube:videos", 9)}


def test_a_cumulative_figure_and_periods_are_not_added() -> None:
    told = totals_of(
        [
            account(
                ("views", "period", ObservedFigure(40, 5, "a")),
                ("views", "cumulative", ObservedFigure(100, 5, "b")),
            ),
            account(("shares", "period", ObservedFigure(3, 5, "a"))),
        ]
    )

    assert told == {"views": Total(100, "b", 5), "shares": Total(3, "a", 5)}


def test_people_reached_are_the_largest_figure() -> None:
    one = account(("reached", "cumulative", ObservedFigure(100, 5, "a")))
    other = account(("reached", "cumulative", ObservedFigure(70, 6, "b")))

    assert totals_of([one, other])["reached"] == Total(100, "largest single figure: a", 5)
    assert totals_of([one])["reached"] == Total(100, "a", 5)


def test_our_own_clicks_stand_for_clicks() -> None:
    told = totals_of(
        [account(("clicks", "cumulative", ObservedFigure(500, 5, "facebook:insights")), clicked=3)]
    )

    assert told["clicks"] == Total(3, "links:redirect", 99)


def test_nothing_measured_is_nothing_told() -> None:
    assert totals_of([DeliveryReach(), DeliveryReach()]) == {}
    assert reached(KnownReach()) is None
    assert views([]) is None


def test_the_campaigns_views_are_of_one_kind_and_its_clicks_our_own() -> None:
    rows = [
        row("views", "period", 9),
        row("views", "cumulative", 100, "a"),
        row("views", "cumulative", 50, "b"),
        row("clicks", "cumulative", 1000),
        row("clicks", "delta", 12),
    ]

    assert views(rows) == Total(150, "a, b", 7)
    assert clicks(rows) == Total(12, "s", 7)
