"""Clicks on codes that nobody knows yet. Pure.

A code whose delivery was told a moment ago may be followed before metrics has heard of it; any other unknown code is
somebody's guess. So such clicks wait in memory, few and not for long: those whose delivery turns up are counted, the others
leave nothing behind.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from shared.events import ReachClicked

MOST_CLICKS: Final = 5_000
PATIENCE_SECONDS: Final = 600.0


class WaitingRoom:
    """Clicks by code, in the order in which the codes were first followed."""

    def __init__(self, *, most: int = MOST_CLICKS) -> None:
        self._most = most
        self._by_code: OrderedDict[str, tuple[float, list[ReachClicked]]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        """How many clicks wait."""
        return self._size

    def add(self, click: ReachClicked, now: float) -> int:
        """Let a click wait. Where there is no room the code that has waited longest goes; how many clicks went."""
        self._by_code.setdefault(click.code, (now, []))[1].append(click)
        self._size += 1
        gone = 0
        while self._size > self._most:
            gone += self._drop(next(iter(self._by_code)))
        return gone

    def codes(self, most: int) -> list[str]:
        """Some of the codes, others the next time, so that all come up in turn."""
        found = [code for code, _ in zip(self._by_code, range(most), strict=False)]
        for code in found:
            self._by_code.move_to_end(code)
        return found

    def claim(self, known: Iterable[str]) -> list[ReachClicked]:
        """The clicks on codes that have turned out to be deliveries'; they wait no longer."""
        found: list[ReachClicked] = []
        for code in known:
            _, clicks = self._by_code.pop(code, (0.0, []))
            found += clicks
        self._size -= len(found)
        return found

    def expire(self, now: float, codes: Iterable[str]) -> int:
        """Let go of those of these codes that have waited too long; how many clicks went."""
        there = [code for code in codes if code in self._by_code]
        old = [code for code in there if now - self._by_code[code][0] > PATIENCE_SECONDS]
        return sum(self._drop(code) for code in old)

    def _drop(self, code: str) -> int:
        clicks = self._by_code.pop(code)[1]
        self._size -= len(clicks)
        return len(clicks)
