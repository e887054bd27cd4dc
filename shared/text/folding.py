"""Letter case, as each language pairs its letters. Pure.

In Azerbaijani, Turkish and their kin I pairs with ı and İ with i, which the default rules of Unicode mix up. Folded text
is for comparing alone and is never shown.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from shared.text.language_ranges import primary

DOTTED_LANGUAGES: Final = frozenset({"az", "tr", "tt", "kk", "ba", "crh", "gag"})
"""Languages whose capital of i is İ and whose ı is a letter of its own."""
_DOTTED: Final = str.maketrans({"I": "ı", "İ": "i"})
_DOT_ABOVE: Final = "\u0307"


def lowered(text: str, language: str) -> str:
    """The text in small letters, by the language's rules."""
    return (text.translate(_DOTTED) if primary(language) in DOTTED_LANGUAGES else text).lower()


def folded(character: str, language: str) -> str:
    """One character made ready for comparison: case folded by the language's rules, compatibility forms unified.

    It may become several characters, or none where nothing of it is visible.
    """
    return _folded(character, primary(language) in DOTTED_LANGUAGES)


@lru_cache(maxsize=4096)
def _folded(character: str, dotted: bool) -> str:  # noqa: FBT001 — one of two sets of rules
    if dotted and character in "Iİ":
        return "ı" if character == "I" else "i"
    pieces = unicodedata.normalize("NFKC", character).casefold()
    return "".join(piece for piece in pieces if piece != _DOT_ABOVE and unicodedata.category(piece) != "Cf")


def as_ascii(text: str) -> tuple[str, Sequence[int]]:
    """The text with digits and marks of any script as ASCII and without what is not seen; and each character's place."""
    if text.isascii():
        return text, range(len(text))
    plain = text.translate(_PLAIN)
    if len(plain) == len(text):
        return plain, range(len(text))
    return plain, [place for place, character in enumerate(text) if _PLAIN[ord(character)] is not None]


class _Plain(dict[int, str | None]):
    """What `as_ascii` makes of a character, by its code: nothing of what is not seen."""

    def __missing__(self, code: int) -> str | None:
        self[code] = plain = _plain(chr(code))
        return plain


def _plain(character: str) -> str | None:
    kind = unicodedata.category(character)
    if kind == "Cf" or character in _VARIATIONS:
        return None
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    if kind == "Pd" or character == "\u2212":
        return "-"
    if kind == "Zs":
        return " "
    same = unicodedata.normalize("NFKC", character)
    return same if len(same) == 1 and same.isascii() else character


_VARIATIONS: Final = frozenset(map(chr, range(0xFE00, 0xFE10)))
_PLAIN: Final = _Plain()
