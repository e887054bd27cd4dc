"""Whether a language lies in a range: basic filtering (RFC 4647, 3.3.1), with the macrolanguage decided on. Pure."""

from collections.abc import Iterable
from typing import Final

PART_OF: Final = {"nb": "no", "nn": "no"}
"""Written standards that count as their macrolanguage too: whoever reads Norwegian reads both. No others do."""


def in_range(tag: str, language_range: str) -> bool:
    """Whether `tag` is `language_range` or begins with it at a subtag's end; `*` takes every tag."""
    subtags, wanted = tag.lower().split("-"), language_range.lower().split("-")
    if wanted == ["*"] or subtags[: len(wanted)] == wanted:
        return True
    whole = PART_OF.get(subtags[0])
    return whole is not None and [whole, *subtags[1:]][: len(wanted)] == wanted


def in_ranges(tag: str, ranges: Iterable[str]) -> bool:
    """Whether `tag` lies in one of several ranges."""
    return any(in_range(tag, each) for each in ranges)


def narrowed(ranges: Iterable[str], wanted: Iterable[str]) -> frozenset[str]:
    """The ranges of what lies in `ranges` and in `wanted` both: of two that overlap, the narrower."""
    allowed, asked = frozenset(ranges), frozenset(wanted)
    return frozenset(each for each in asked if in_ranges(each, allowed)) | frozenset(
        each for each in allowed if in_ranges(each, asked)
    )
