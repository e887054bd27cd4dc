"""Dates, numbers and countries, as readers of each language write them."""

from datetime import UTC, datetime

import pytest

from services.publisher.channels.website.languages import country_name, day, number

NOON = datetime(2026, 5, 28, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("en", "May 28, 2026"),
        ("az", "28 may 2026"),
        ("fa", "۲۸ مهٔ ۲۰۲۶"),
        ("ar", "28 مايو 2026"),
        ("xx", "May 28, 2026"),
    ],
)
def test_a_day_is_written_out_in_the_languages_own_digits(language: str, written: str) -> None:
    assert day(NOON, language) == written


@pytest.mark.parametrize(
    ("language", "written"), [("en", "1,234"), ("ru", "1\xa0234"), ("fa", "۱٬۲۳۴"), ("bn", "১,২৩৪")]
)
def test_a_number_is_written_in_the_languages_own_digits(language: str, written: str) -> None:
    assert number(1234, language) == written


def test_a_country_without_a_name_stands_as_it_is() -> None:
    assert country_name("TR", "tr") == "Türkiye"
    assert country_name("ZZZ", "tr") == "ZZZ"
