"""Showing what was changed and what was noticed, as pieces of text. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from services.moderation.screening.rules import Signal
from shared.text.differences import Common, common_stretches

WORDS: Final = re.compile(r"\s+|\w+|[^\w\s]")
LINES: Final = re.compile(r"\n|[^\n]+")
MOST: Final = 300
"""Words, or lines, that may differ. The work grows with its square, and beyond it the eye sees no pattern either."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, and what is to be said of it."""

    text: str
    kind: Literal["same", "added", "removed", "marked"] = "same"
    code: str = ""
    """Of the signal, for what is marked."""


def changes(before: str, after: str) -> list[Piece]:
    """How `after` came from `before`: word by word, when too much differs line by line, else whole."""
    for pattern in (WORDS, LINES):
        old, new = pattern.findall(before), pattern.findall(after)
        if (common := common_stretches(old, new, MOST)) is not None:
            return list(_pieces(old, new, common))
    return [piece for piece in (Piece(before, "removed"), Piece(after, "added")) if piece.text]


def _pieces(old: Sequence[str], new: Sequence[str], common: Iterable[Common]) -> Iterator[Piece]:
    old_at = new_at = 0
    for stretch in (*common, Common(len(old), len(new), 0)):
        if stretch.old > old_at:
            yield Piece("".join(old[old_at : stretch.old]), "removed")
        if stretch.new > new_at:
            yield Piece("".join(new[new_at : stretch.new]), "added")
        old_at, new_at = stretch.old + stretch.length, stretch.new + stretch.length
        if stretch.length:
            yield Piece("".join(old[stretch.old : old_at]))


def marked(text: str, signals: Iterable[Signal], field: str) -> list[Piece]:
    """`text` in pieces, with what signals point at marked; where two overlap, the earlier one counts."""
    spans = sorted(
        (each.start, each.end, each.code)
        for each in signals
        if each.field == field and each.start is not None and each.end is not None
    )
    pieces: list[Piece] = []
    at = 0
    for start, end, code in spans:
        if start < at or end > len(text):
            continue
        pieces += [Piece(text[at:start]), Piece(text[start:end], "marked", code)]
        at = end
    pieces.append(Piece(text[at:]))
    return [piece for piece in pieces if piece.text]
