"""Showing what was changed and what was noticed, as pieces of text. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

from services.moderation.screening.rules import Signal

LONG: Final = 4000
"""Words from which on lines are compared instead."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, and what is to be said of it."""

    text: str
    kind: Literal["same", "added", "removed", "marked"] = "same"
    code: str = ""
    """Of the signal, for what is marked."""


def changes(before: str, after: str) -> list[Piece]:
    """How `after` came from `before`, word by word."""
    pattern = r"\n|[^\n]+" if len(before) + len(after) > LONG * 6 else r"\s+|\w+|[^\w\s]"
    old, new = re.findall(pattern, before), re.findall(pattern, after)
    pieces: list[Piece] = []
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for what, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if what == "equal":
            pieces.append(Piece("".join(old[old_from:old_to])))
            continue
        if old_to > old_from:
            pieces.append(Piece("".join(old[old_from:old_to]), "removed"))
        if new_to > new_from:
            pieces.append(Piece("".join(new[new_from:new_to]), "added"))
    return pieces


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
