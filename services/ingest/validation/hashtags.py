"""Hashtags: what is one, and when two are the same. Pure.

A tag is kept and shown as it was written; folding is for comparing alone, and follows the language: in
Azerbaijani and Turkish I pairs with ı and İ with i, which the default folding mixes up.
"""

import unicodedata
from collections.abc import Sequence
from typing import Final

DOTTED: Final = str.maketrans({"I": "ı", "İ": "i"})
DOTTED_LANGUAGES: Final = frozenset({"az", "tr"})
TATWEEL: Final = "\u0640"
SIGNS: Final = frozenset({"#", "＃"})
JOINERS: Final = frozenset("_\u200c\u200d")


def without_sign(given: str) -> str:
    """The tag in NFC without a leading `#`."""
    return unicodedata.normalize("NFC", given[1:] if given[:1] in SIGNS else given)


def mend(tag: str) -> str | None:
    """How to mend a tag that is none, or nothing when it is one."""
    if not all(_belongs(character) for character in tag):
        return "no hashtag; write letters, digits and _ alone, without spaces"
    if not any(character.isalpha() for character in tag):
        return "no hashtag; it needs at least one letter"
    return None


def comparison_key(tag: str, language: str) -> str:
    """What two equal tags of one language share. Never shown, and never compared across languages."""
    text = unicodedata.normalize("NFC", tag)
    if language.partition("-")[0] in DOTTED_LANGUAGES:
        text = text.translate(DOTTED)
    return "".join(c for c in text.lower() if c != TATWEEL and not _is_haraka(c))


def without_repetition(tags: Sequence[str], language: str) -> tuple[str, ...]:
    """The tags in their order, each once, as first written."""
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(comparison_key(tag, language), tag)
    return tuple(first.values())


def _belongs(character: str) -> bool:
    return character.isalnum() or character in JOINERS or unicodedata.category(character)[0] == "M"


def _is_haraka(character: str) -> bool:
    """An Arabic vowel sign, which a writer may leave out."""
    return "\u064b" <= character <= "\u065f" or character == "\u0670"
