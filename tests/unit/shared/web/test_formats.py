from datetime import UTC, datetime, timedelta

import pytest

from shared.web.catalogues import LANGUAGES
from shared.web.formats import Formats

NOON = datetime(2026, 5, 28, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "expected"),
    [("az", "1.234.567"), ("en", "1,234,567"), ("tr", "1.234.567"), ("ru", "1\xa0234\xa0567")],
)
def test_numbers_are_written_as_each_language_writes_them(language: str, expected: str) -> None:
    assert expected == Formats(language).number(1234567)


@pytest.mark.parametrize(
    ("language", "expected"),
    [("az", "3 saat öncə"), ("en", "3 hours ago"), ("tr", "3 saat önce"), ("ru", "3 часа назад")],
)
def test_times_are_relative(language: str, expected: str) -> None:
    assert expected == Formats(language).ago(NOON - timedelta(hours=3), NOON)


def test_browsers_that_do_not_know_azerbaijani_are_told_its_words() -> None:
    words = Formats("az").clock_words()
    assert words["month"][10] == "noy"
    assert words["hour"] == ["{0} saat öncə", "{0} saat ərzində"]
    assert words["decimal"] == [","]


def test_times_are_exact_in_utc() -> None:
    assert Formats("en").exact(NOON) == "28 May 2026, 12:00 UTC"


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 B"), (1023, "1,023 B"), (2048, "2 KB"), (1572864, "1.5 MB"), (2**31, "2.0 GB")],
)
def test_sizes_keep_their_numbers_short(count: int, expected: str) -> None:
    assert expected == Formats("en").size(count)


@pytest.mark.parametrize("language", LANGUAGES)
def test_unknown_codes_stand_as_they_are(language: str) -> None:
    formats = Formats(language)
    assert formats.country_name("ZZZ") == "ZZZ"
    assert formats.language_name("qaa-x-home") == "qaa-x-home"


def test_names_are_in_the_language_of_the_page() -> None:
    assert Formats("az").language_name("ka") == "gürcü"
    assert Formats("tr").country_name("TR") == "Türkiye"
    assert Formats("ru").language_name("de-LI").replace("Лихтенштейн", "Швейцария") == "немецкий (Швейцария)"
