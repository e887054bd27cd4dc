"""Hashtags: what is one, when two are the same, and how people write several in one field. Pure.

A tag is kept and shown as it was written, in NFC and without its sign; folding is for comparing alone, and follows the
language. What may stand in one is what Unicode calls a hashtag identifier (UTS #31), without emoji, which no channel links.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from shared.text.folding import lowered

TATWEEL: Final = "\u0640"
SIGNS: Final = frozenset({"#", "＃", "﹟"})
JOINERS: Final = frozenset("_\u200c\u200d")
WITHIN: Final = frozenset("\u00b7\u05be\u05f3\u05f4\u0f0b\u0f0c\u2027\u30a0\u30fb")
"""Signs that stand between letters of one word in Catalan, Hebrew, Tibetan and Japanese."""
_BETWEEN: Final = re.compile(r"[\s,;،؛、，；]+")


def without_sign(given: str) -> str:
    """The tag in NFC without a leading `#`."""
    return unicodedata.normalize("NFC", given[1:] if given[:1] in SIGNS else given)


def separated(field: str) -> tuple[str, ...]:
    """The tags in a field that people fill, between spaces, commas or semicolons of any script."""
    return tuple(each for each in _BETWEEN.split(field) if each)


def fix(tag: str) -> str | None:
    """How to fix a tag that is none; nothing when it is one."""
    if not all(map(belongs, tag)):
        return "no hashtag; write letters, digits and _ alone, without # or spaces"
    if not any(character.isalpha() for character in tag):
        return "no hashtag; it needs at least one letter"
    if tag[0] in WITHIN or tag[-1] in WITHIN:
        return f"no hashtag; it needs a letter before and after {tag[0] if tag[0] in WITHIN else tag[-1]}"
    return None


def belongs(character: str) -> bool:
    """Whether a character may stand in a hashtag: letters and digits of all scripts, with their marks."""
    return (
        character.isalnum()
        or character in JOINERS
        or character in WITHIN
        or unicodedata.category(character)[0] == "M"
    )


@lru_cache(maxsize=4096)
def comparison_key(tag: str, language: str) -> str:
    """What two equal tags of one language share. Never shown."""
    text = lowered(unicodedata.normalize("NFC", tag), language)
    return "".join(character for character in text if character != TATWEEL and not _is_haraka(character))


def by_key(tags: Sequence[str], language: str) -> dict[str, str]:
    """The tags as first written, by their comparison keys, in their order."""
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(comparison_key(tag, language), tag)
    return first


def without_repetition(tags: Sequence[str], language: str) -> tuple[str, ...]:
    """The tags in their order, each once, as first written."""
    return tuple(by_key(tags, language).values())


def _is_haraka(character: str) -> bool:
    """An Arabic vowel sign, which a writer may leave out."""
    return "\u064b" <= character <= "\u065f" or character == "\u0670"
