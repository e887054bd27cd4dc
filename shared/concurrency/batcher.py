"""Calls that come at the same time share one: what gathers while one is under way goes together into the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.failures import Failure, attempt

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[T, R]):
    item: T
    done: asyncio.Future[R]


class Batcher(Generic[T, R]):
    """One piece of work at a time, for up to `most` callers. Holds nothing once every call has returned."""

    def __init__(self, work: Callable[[list[T]], Awaitable[Sequence[R | Exception]]], *, most: int) -> None:
        """`work` gives each item's result, or what is to be raised to its caller, in the order of the items."""
        self._work, self._most = work, most
        self._waiting: list[_Waiting[T, R]] = []
        self._under_way: list[_Waiting[T, R]] = []
        self._worker: asyncio.Task[None] | None = None

    async def call(self, item: T) -> R:
        """The result for `item`. Raises what the work says of it, or what the whole work raised."""
        waiting: _Waiting[T, R] = _Waiting(item, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._worker is None:
            # In a context of its own: it works for all callers, and belongs to no one's trace.
            self._worker = asyncio.create_task(self._run(), name="batcher", context=Context())
            self._worker.add_done_callback(self._ended)
        return await waiting.done

    async def _run(self) -> None:
        while self._waiting:
            self._under_way, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            await self._run_one(self._under_way)
        self._under_way, self._worker = [], None

    def _ended(self, worker: asyncio.Task[None]) -> None:
        """Whatever else ends the work, even before it began, nobody is left waiting for it."""
        if worker is self._worker:
            left = self._under_way + self._waiting
            self._under_way, self._waiting, self._worker = [], [], None
            for each in left:
                each.done.cancel()

    async def _run_one(self, batch: Sequence[_Waiting[T, R]]) -> None:
        answer = await attempt(self._work([each.item for each in batch]))
        results: Sequence[R | Exception]
        if isinstance(answer, Failure):
            results = [answer.error] * len(batch)
        elif len(answer) == len(batch):
            results = answer
        else:
            results = [ValueError(f"{len(answer)} results for {len(batch)} items")] * len(batch)
        for each, result in zip(batch, results, strict=True):
            if each.done.done():  # the caller has gone away
                continue
            if isinstance(result, Exception):
                each.done.set_exception(result)
            else:
                each.done.set_result(result)
