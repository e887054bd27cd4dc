"""Who asks for the same at the same time asks once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """Answers are given to all who asked while they were being fetched, and then not kept."""

    def __init__(self) -> None:
        self._under_way: dict[K, asyncio.Task[T]] = {}

    async def get(self, key: K, fetch: Callable[[], Awaitable[T]]) -> T:
        """What `fetch` gives, or is just giving somebody else. One who goes away takes nobody along."""
        task = self._under_way.get(key)
        if task is None:
            # In a context of its own: it is nobody's alone.
            task = asyncio.create_task(_awaited(fetch), name="single-flight", context=Context())
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def forget(self, key: K) -> None:
        """Who asks from now on wants a newer answer than the one under way."""
        self._under_way.pop(key, None)

    def _landed(self, key: K, task: asyncio.Task[T]) -> None:
        if self._under_way.get(key) is task:
            del self._under_way[key]
        if not task.cancelled():
            task.exception()  # told to all who asked, if they are still there


async def _awaited(fetch: Callable[[], Awaitable[T]]) -> T:
    return await fetch()
