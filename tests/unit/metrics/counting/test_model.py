"""What an event of reach means for the counts."""

from datetime import timedelta
from random import Random

import pytest

from services.metrics.counting.model import (
    Amount,
    Cell,
    FigureSpan,
    ObservedFigure,
    changes,
    code_of,
    day_of,
    delivery_of,
    end_of,
    milliseconds,
    moment,
    sample_of,
    standing,
    whole,
)
from tests.support.builders.reach_events import START, delivery, sample

VIEWS = FigureSpan("views", "cumulative", "")


def test_a_code_is_ten_characters_of_base32_and_always_the_same() -> None:
    assert code_of("delivery-1") == code_of("delivery-1")
    assert len(code_of("delivery-1")) == 10
    assert set(code_of("delivery-1")) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_hashtags_that_a_language_takes_for_one_are_counted_as_one() -> None:
    tags = {"hashtags": ("AZADLIQ", "azadlıq", "İRS")}

    assert delivery_of(
        delivery(Random(1), 1).model_copy(update={"language": "az", **tags})
    ).dims.hashtags == (
        "azadlıq",
        "irs",
    )


@pytest.mark.parametrize(
    ("new", "old", "wins"),
    [
        (ObservedFigure(10, 1, "a"), None, True),
        (ObservedFigure(5, 2, "a"), ObservedFigure(10, 1, "a"), True),
        (ObservedFigure(99, 1, "a"), ObservedFigure(10, 2, "a"), False),
        (ObservedFigure(11, 1, "a"), ObservedFigure(10, 1, "a"), True),
        (ObservedFigure(10, 1, "a"), ObservedFigure(10, 1, "a"), False),
    ],
    ids=["first", "later_though_smaller", "earlier_though_larger", "same_instant_larger", "the_same"],
)
def test_the_later_observation_takes_the_place(
    new: ObservedFigure, old: ObservedFigure | None, wins: bool
) -> None:
    assert new.beats(old) is wins


def test_a_total_and_its_parts_by_audience_are_not_added() -> None:
    figures = {
        "": ObservedFigure(100, 5, "s"),
        "AZ": ObservedFigure(60, 5, "s"),
        "TR": ObservedFigure(30, 6, "s"),
    }

    stands = standing(VIEWS, figures)

    assert whole(figures) == 100
    assert [amount.value for cell, amount in stands.items() if cell.split is False] == [100]
    assert {cell.audience: amount.value for cell, amount in stands.items() if cell.split} == {
        "AZ": 60,
        "TR": 30,
    }


def test_parts_without_a_total_make_the_whole() -> None:
    figures = {"AZ": ObservedFigure(60, 5, "s"), "TR": ObservedFigure(30, 6, "s")}

    stands = standing(VIEWS, figures)

    assert whole(figures) == 90
    assert [amount for cell, amount in stands.items() if not cell.split] == [Amount(90, 2, 6)]


def test_people_reached_stand_in_no_sum() -> None:
    assert standing(FigureSpan("reached", "cumulative", ""), {"": ObservedFigure(1000, 5, "s")}) == {}


def test_a_figure_observed_on_another_day_moves() -> None:
    day = 86_400_000
    before = standing(VIEWS, {"": ObservedFigure(100, day, "s")})
    after = standing(VIEWS, {"": ObservedFigure(130, 3 * day, "s")})

    moved = {change.cell.day: (change.value, change.figures) for change in changes("c", before, after)}

    assert moved == {"1970-01-02": (-100, -1), "1970-01-04": (130, 1)}


def test_nothing_changes_where_the_figures_are_the_same() -> None:
    stands = standing(VIEWS, {"": ObservedFigure(100, 5, "s")})

    assert changes("c", stands, stands) == []


def test_a_cumulative_figure_has_no_day_of_its_own() -> None:
    chance = Random(1)
    event = sample(chance, delivery(chance, 1), kind="cumulative", day="2020-01-01")

    assert sample_of(event).day == ""


@pytest.mark.parametrize(
    "wrong", [{"kind": "period", "day": None}, {"kind": "period", "day": "today"}, {"value": 1 << 60}]
)
def test_a_sample_that_cannot_be_counted_is_refused(wrong: dict[str, object]) -> None:
    chance = Random(1)

    with pytest.raises(ValueError, match=r"day|measured"):
        sample_of(sample(chance, delivery(chance, 1), **wrong))


def test_times_come_back_as_they_were() -> None:
    assert moment(milliseconds(START)) == START
    assert day_of(milliseconds(START)) == "2026-11-20"
    assert day_of(milliseconds(START + timedelta(hours=2))) == "2026-11-21"
    assert end_of("2026-11-20") == milliseconds(START + timedelta(hours=2)) - 1


def test_a_cell_says_whether_it_is_for_breakdowns_by_audience() -> None:
    (cell,) = standing(VIEWS, {"": ObservedFigure(7, 5, "s")})

    assert cell == Cell("views", "cumulative", "s", "1970-01-01", "", None)
