"""Languages matched (RFC 4647): whether one lies in a range, and which of several is the nearest. Pure."""

from collections.abc import Container, Iterable
from typing import Final

PART_OF: Final = {"nb": "no", "nn": "no"}
"""Written standards that count as their macrolanguage too: whoever reads Norwegian reads both. No others do."""


def primary(tag: str) -> str:
    """The first subtag, which names the language itself: `sr` of `sr-Latn`."""
    return tag.partition("-")[0]


def subtags(tag: str) -> tuple[str, ...]:
    """What follows the language itself: script, region and the like."""
    return tuple(tag.split("-")[1:])


def nearest(tag: str, there: Container[str], default: str) -> str:
    """Of what is there, the language itself, else the one it is a variety of; else `default` (lookup, 3.4)."""
    parts = (primary(tag), *subtags(tag))
    for length in range(len(parts), 0, -1):
        if (shorter := "-".join(parts[:length])) in there:
            return shorter
    whole = PART_OF.get(parts[0])
    return whole if whole is not None and whole in there else default


def in_range(tag: str, language_range: str) -> bool:
    """Whether `tag` is `language_range` or begins with it at a subtag's end (basic filtering, 3.3.1); `*` takes all."""
    parts, wanted = tag.lower().split("-"), language_range.lower().split("-")
    if wanted == ["*"] or parts[: len(wanted)] == wanted:
        return True
    whole = PART_OF.get(parts[0])
    return whole is not None and [whole, *parts[1:]][: len(wanted)] == wanted


def in_ranges(tag: str, ranges: Iterable[str]) -> bool:
    """Whether `tag` lies in one of several ranges."""
    return any(in_range(tag, each) for each in ranges)


def narrowed(ranges: Iterable[str], wanted: Iterable[str]) -> frozenset[str]:
    """The ranges of what lies in `ranges` and in `wanted` both: of two that overlap, the narrower."""
    allowed, asked = frozenset(ranges), frozenset(wanted)
    return frozenset(each for each in asked if in_ranges(each, allowed)) | frozenset(
        each for each in allowed if in_ranges(each, asked)
    )
