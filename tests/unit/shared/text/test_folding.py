import pytest

from shared.text.folding import folded, lowered


@pytest.mark.parametrize(
    ("language", "text", "small"),
    [
        ("az", "QIZIL İRS", "qızıl irs"),
        ("tr-CY", "DIŞ İÇ", "dış iç"),
        ("en", "ISTANBUL", "istanbul"),
        ("ru", "Ёлка", "ёлка"),
        ("el", "ΟΔΟΣ", "οδος"),
    ],
)
def test_small_letters_follow_the_language(language: str, text: str, small: str) -> None:
    assert lowered(text, language) == small


@pytest.mark.parametrize(
    ("language", "character", "compared_as"),
    [
        ("az", "I", "ı"),
        ("az", "İ", "i"),
        ("en", "I", "i"),
        ("en", "İ", "i"),
        ("en", "ﬁ", "fi"),
        ("en", "\u200d", ""),
    ],
)
def test_a_character_is_compared_by_what_can_be_seen_of_it(
    language: str, character: str, compared_as: str
) -> None:
    assert folded(character, language) == compared_as
