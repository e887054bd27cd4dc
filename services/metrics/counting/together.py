"""Callers that come at the same time share one write."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.metrics.counting.model import Click, Sample

E = TypeVar("E", Click, Sample)
Admit = Callable[[Sequence[E], int, int], Awaitable[set[int]]]
"""Takes events and where they lie in the stream, gives back the ids of those that are new."""


@dataclass(slots=True)
class _Caller(Generic[E]):
    events: Sequence[E]
    first: int
    last: int
    admitted: int | None = None


class Together(Generic[E]):
    """While one write is on its way, the events of further callers gather for the next."""

    def __init__(self, admit: Admit[E]) -> None:
        self._admit: Admit[E] = admit
        self._waiting: list[_Caller[E]] = []
        self._lock = asyncio.Lock()

    async def admit(self, events: Sequence[E], first: int, last: int) -> int:
        """How many of these events are new. Returns when they are stored; raises what kept them from it."""
        mine = _Caller(events, first, last)
        self._waiting.append(mine)
        async with self._lock:
            if mine.admitted is None:
                group, self._waiting = self._waiting, []
                try:
                    await self._admit_all(group)
                finally:
                    # After a failure the others try for themselves.
                    left = [one for one in group if one.admitted is None and one is not mine]
                    self._waiting = left + self._waiting
        return mine.admitted or 0

    async def _admit_all(self, group: Sequence[_Caller[E]]) -> None:
        events = [event for one in group for event in one.events]
        new = await self._admit(events, min(one.first for one in group), max(one.last for one in group))
        for one in group:
            own = new.intersection(event.id for event in one.events)
            new -= own
            one.admitted = len(own)
