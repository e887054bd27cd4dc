"""What two sequences have in common, found in bounded time. Pure."""

from collections.abc import Sequence
from typing import NamedTuple


class Common(NamedTuple):
    """A stretch that both sides have: where it begins in each, and how long it is."""

    old: int
    new: int
    length: int


def common_stretches(old: Sequence[str], new: Sequence[str], most: int) -> list[Common] | None:
    """What two sequences have in common, in their order and as much as possible; nothing if over `most` differ.

    Myers' greedy way: for each number of differences, and each diagonal that it can reach, how far along it one gets.
    """
    steps: list[dict[int, int]] = []
    furthest = {1: 0}
    for differences in range(most + 1):
        steps.append(dict(furthest))
        for diagonal in range(-differences, differences + 1, 2):
            x, _ = _entered(furthest, diagonal, differences)
            while x < len(old) and 0 <= x - diagonal < len(new) and old[x] == new[x - diagonal]:
                x += 1
            furthest[diagonal] = x
            if x >= len(old) and diagonal == len(old) - len(new):
                return _walked_back(steps, len(old), len(new))
    return None


def _entered(furthest: dict[int, int], diagonal: int, differences: int) -> tuple[int, bool]:
    """Where a diagonal is entered, and whether from the one above, by adding, or from the one below, by removing."""
    if diagonal == -differences or (
        diagonal != differences and furthest[diagonal - 1] < furthest[diagonal + 1]
    ):
        return furthest[diagonal + 1], True
    return furthest[diagonal - 1] + 1, False


def _walked_back(steps: Sequence[dict[int, int]], x: int, y: int) -> list[Common]:
    found: list[Common] = []
    for differences, furthest in reversed(list(enumerate(steps))):
        diagonal = x - y
        start, by_adding = _entered(furthest, diagonal, differences)
        if x > start:
            found.append(Common(start, start - diagonal, x - start))
        x = start if by_adding else start - 1
        y = start - diagonal - (1 if by_adding else 0)
    return found[::-1]
