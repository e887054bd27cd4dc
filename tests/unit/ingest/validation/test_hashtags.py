"""Hashtags in many scripts."""

import pytest

from services.ingest.validation import hashtags


@pytest.mark.parametrize(
    "tag", ["İçərişəhər", "МойГород", "الخُبْز", "می\u200cخواهم", "हिन्दी", "año_2026", "京都", "2026yaz"]
)
def test_words_of_any_script_are_hashtags(tag: str) -> None:
    assert hashtags.mend(tag) is None


@pytest.mark.parametrize("tag", ["", "123", "a b", "a-b", "a#b", "a.b", "👍", "_", "a\u200f"])
def test_what_a_channel_would_cut_short_is_none(tag: str) -> None:
    assert hashtags.mend(tag) is not None


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
    ],
)
def test_two_tags_are_the_same_by_their_languages_rules(
    language: str, one: str, other: str, same: bool
) -> None:
    assert same == (hashtags.comparison_key(one, language) == hashtags.comparison_key(other, language))
