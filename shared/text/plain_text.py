"""What counts as text, wherever somebody writes it: authors in their submissions, moderators in their edits. Pure."""

import re
import unicodedata
from typing import Final

LINE_CONTROLS: Final = frozenset("\t\n\r")
NO_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""Controls, halves of surrogate pairs and non-characters: no writing system uses them, no feed can carry them."""


def normal(given: str) -> str:
    """The text in NFC, else exactly as given: line breaks, spaces and bidirectional marks stay."""
    return unicodedata.normalize("NFC", given)


def no_text(given: str) -> str | None:
    """The first character that is none of a text's, by its code point (`U+0000`), if there is one."""
    found = NO_TEXT.search(given)
    return None if found is None else f"U+{ord(found[0]):04X}"


def over_lines(given: str) -> bool:
    """Whether a text has more than one line, or tabs in it."""
    return any(character in LINE_CONTROLS for character in given)


def is_blank(given: str) -> bool:
    """Whether a text says nothing: spaces and invisible marks alone."""
    return all(character.isspace() or unicodedata.category(character) == "Cf" for character in given)
