"""Hashtags in many scripts."""

import pytest

from shared.text import hashtags


@pytest.mark.parametrize(
    "tag",
    [
        "İçərişəhər",
        "МойГород",
        "الخُبْز",
        "می\u200cخواهم",
        "हिन्दी",
        "año_2026",
        "京都",
        "2026yaz",
        "col·lecció",
        "צה״ל",
        "ג׳ירפה",
    ],
)
def test_words_of_any_script_are_hashtags(tag: str) -> None:
    assert hashtags.fix(tag) is None


@pytest.mark.parametrize("tag", ["", "123", "a b", "a-b", "a#b", "a.b", "👍", "_", "a\u200f", "·a", "a״"])
def test_what_a_channel_would_cut_short_is_none(tag: str) -> None:
    assert hashtags.fix(tag) is not None


@pytest.mark.parametrize(
    ("language", "one", "other", "same"),
    [
        ("az", "QIZ", "qız", True),
        ("tr", "İstanbul", "istanbul", True),
        ("tr", "İstanbul", "ıstanbul", False),
        ("tr-TR", "ISPARTA", "ısparta", True),
        ("en", "ISTANBUL", "istanbul", True),
        ("ar", "الخُبْز", "الخبز", True),
        ("ar", "سـلام", "سلام", True),
        ("ru", "Город", "город", True),
        ("de", "Straße", "strasse", False),
        ("az", "AZADLIQ", "azadlıq", True),
        ("hi", "दिन", "दान", False),
    ],
)
def test_two_tags_are_the_same_by_their_languages_rules(
    language: str, one: str, other: str, same: bool
) -> None:
    assert same == (hashtags.comparison_key(one, language) == hashtags.comparison_key(other, language))


@pytest.mark.parametrize(
    ("field", "tags"),
    [
        ("", ()),
        ("#bir #iki", ("#bir", "#iki")),
        ("bir, iki;üç", ("bir", "iki", "üç")),
        (" #bir ,, ＃iki\n", ("#bir", "＃iki")),
        ("سلام، خبز", ("سلام", "خبز")),
        ("京都、大阪", ("京都", "大阪")),
    ],
)
def test_people_write_several_tags_in_one_field_as_they_like(field: str, tags: tuple[str, ...]) -> None:
    assert hashtags.separated(field) == tags


def test_of_equal_tags_the_first_is_kept_as_it_was_written() -> None:
    assert hashtags.without_repetition(("Bakı", "IRS", "BAKI", "ırs"), "az") == ("Bakı", "IRS")
