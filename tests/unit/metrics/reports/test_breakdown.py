"""Questions about reach, and how their answers are shown."""

from datetime import date

import pytest

from services.metrics.counting.sums import BreakdownRow, Measure
from services.metrics.reports.api import question_of
from services.metrics.reports.breakdown import Breakdown, ReachQuestion, cover
from services.metrics.reports.charts import Shown, choose, crossed, measures, ranked, trend
from shared.http.problems import Problem


def one(
    value: int, metric: str = "clicks", kind: str = "delta", source: str = "s", **values: str
) -> Breakdown:
    row = BreakdownRow(tuple(values.values()), Measure(metric, kind, source), value, 1_000)
    return Breakdown(tuple(values), [row])


def together(*answers: Breakdown) -> Breakdown:
    return Breakdown(answers[0].columns, [row for answer in answers for row in answer.rows])


CLICKS = Shown("clicks", "delta")


@pytest.mark.parametrize(
    ("first", "last", "periods"),
    [
        ("2026-11-03", "2026-11-04", ["2026-11-03", "2026-11-04"]),
        ("2026-11-01", "2026-11-30", ["2026-11"]),
        ("2026-11-30", "2027-01-01", ["2026-11-30", "2026-12", "2027-01-01"]),
        ("2024-02-01", "2024-02-29", ["2024-02"]),
        ("2026-11-02", "2026-11-01", []),
        ("9999-11-30", "9999-12-31", ["9999-11-30", "9999-12"]),
        ("9999-12-30", "9999-12-31", ["9999-12-30", "9999-12-31"]),
        ("0001-01-01", "0001-01-02", ["0001-01-01", "0001-01-02"]),
    ],
)
def test_days_are_covered_by_whole_months_where_possible(first: str, last: str, periods: list[str]) -> None:
    assert cover(first, last) == periods


def test_all_of_time_is_not_covered_day_by_day() -> None:
    assert cover("0001-01-01", "9999-12-31") is None


@pytest.mark.parametrize(
    ("by", "first", "last", "question"),
    [
        (None, None, None, ReachQuestion()),
        ("channel, day,channel", None, None, ReachQuestion(("channel", "day"))),
        ("", "2026-11-03", "2026-11-04", ReachQuestion((), "2026-11-03", "2026-11-04")),
        ("", "2026-11-03T23:30:00-02:00", None, ReachQuestion((), "2026-11-04")),
        ("", "2026-11-03T23:30:00 02:00", None, ReachQuestion((), "2026-11-03")),
    ],
)
def test_a_question_is_read_from_an_address(
    by: str | None, first: str | None, last: str | None, question: ReachQuestion
) -> None:
    assert question_of(by, first, last) == question


@pytest.mark.parametrize(
    "asked",
    [
        ("weather", None, None),
        ("", "tomorrow", None),
        ("", "2026-13-01", None),
        ("", "T", None),
        ("", "0001-01-01T00:00:00+23:59", None),
        ("", None, "9999-12-31T23:59:59-23:59"),
        ("", None, "99999-12-31"),
        ("", "2026-11-02", "2026-11-01"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(asked: tuple[str, str | None, str | None]) -> None:
    with pytest.raises(Problem) as refused:
        question_of(*asked)

    assert refused.value.status == 422


def test_the_largest_come_first_and_the_rest_is_told_by_number() -> None:
    answers = together(*(one(number, channel=f"c{number:02}") for number in range(20)))

    board = ranked(answers, CLICKS, "channel")

    assert board.bars[0] == ("c19", 19)
    assert (len(board.bars), board.left_out, board.source) == (12, 8, "s")


def test_sources_are_summed_but_people_are_not() -> None:
    views = together(
        one(10, "views", "cumulative", "a", channel="x"),
        one(5, "views", "cumulative", "b", channel="x"),
    )
    people = together(
        one(10, "reached", "cumulative", "a", channel="x"),
        one(5, "reached", "cumulative", "b", channel="x"),
    )

    assert ranked(views, Shown("views", "cumulative"), "channel").bars == (("x", 15),)
    assert ranked(people, Shown("reached", "cumulative"), "channel").bars == (("x", 10),)


def test_two_dimensions_cross_and_what_was_not_measured_is_no_zero() -> None:
    answers = together(one(5, channel="a", language="az"), one(2, channel="b", language="tr"))

    table = crossed(answers, CLICKS, "channel", "language")

    assert table.columns == ("az", "tr")
    assert table.lines == (("a", (5, None)), ("b", (None, 2)))


def test_a_trend_has_every_day_between() -> None:
    answers = together(one(3, day="2026-11-01"), one(4, day="2026-11-04"))

    assert trend(answers, CLICKS) == [
        (date(2026, 11, 1), 3),
        (date(2026, 11, 2), 0),
        (date(2026, 11, 3), 0),
        (date(2026, 11, 4), 4),
    ]


def test_a_figure_for_all_time_has_no_trend() -> None:
    answers = one(3, "views", "cumulative", day="2026-11-01")

    assert trend(answers, Shown("views", "cumulative")) == []


def test_views_are_shown_first_unless_something_else_is_asked_for() -> None:
    measured = measures(together(one(1, "shares", "cumulative"), one(1), one(1, "views", "cumulative")))

    assert [shown.name for shown in measured] == ["views.cumulative", "clicks.delta", "shares.cumulative"]
    assert choose(measured, None) == Shown("views", "cumulative")
    assert choose(measured, "clicks.delta") == CLICKS
    assert choose(measured, "nothing") == Shown("views", "cumulative")
    assert choose([], None) is None
