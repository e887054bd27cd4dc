"""Reading a consumer without leaving anything behind when it ends.

What is under way may finish then, and what is not finished goes back to the stream at once rather than after the
consumer's patience.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import structlog
from faststream.nats.subscriber.usecases.stream_pull_subscriber import PullStreamSubscriber
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.bus.pull import Pull, give_back
from shared.failures import Failure, attempt

log = structlog.get_logger()

WORKERS: Final = 10
"""Messages of one consumer that a process handles at a time; as many more wait for it."""
GRACE_SECONDS: Final = 2.0
"""How long what is under way may go on when reading ends."""


class UnderWay:
    """What has been handed out and not come to an end."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], Sequence[Msg]] = {}

    def begin(self, messages: Sequence[Msg], work: Coroutine[Any, Any, Any]) -> asyncio.Task[None]:
        """Do `work`, which settles these messages."""
        task = asyncio.create_task(self._to_its_end(work))
        self._tasks[task] = messages
        task.add_done_callback(self._tasks.pop)
        return task

    async def _to_its_end(self, work: Coroutine[Any, Any, Any]) -> None:
        done = await attempt(work)
        if isinstance(done, Failure):  # the settler lets none through: this is a fault of ours
            log.error("message_left", reason=done.reason, exc_info=done.error)

    async def end(self) -> None:
        """Let it go on for a while, then cut it short and give it back."""
        messages = [raw for each in self._tasks.values() for raw in each]
        if tasks := list(self._tasks):
            _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await give_back(messages)


class _InPlace:
    """Stands where FastStream would keep a subscription of its own, so that it fetches nothing itself."""

    async def unsubscribe(self) -> None:
        """Nothing is subscribed to."""


def stand_in(subscribers: Sequence[object]) -> list[PullStreamSubscriber]:
    """The broker's subscribers that read a stream, kept from doing it themselves. Before the broker is started."""
    found = [each for each in subscribers if isinstance(each, PullStreamSubscriber)]
    for each in found:
        each.subscription = _InPlace()  # type: ignore[assignment]  # all that FastStream calls once one is there
    return found


async def read_singly(link: Client, subscriber: PullStreamSubscriber) -> None:
    """Hand a subscriber its messages one by one, `WORKERS` at a time, for ever.

    FastStream parses, traces, counts and calls the handler; it would fetch as well, one request for each message or ten
    at a time and then stalling (see the decision record), and forget what it has fetched when it is stopped.
    """
    durable = str(subscriber.extra_options["durable"])
    pull = Pull(link, stream=subscriber.stream.name, durable=durable, size=WORKERS)
    free, under_way = asyncio.Semaphore(WORKERS), UnderWay()
    try:
        while True:
            await free.acquire()
            [raw] = await pull.take(1)
            task = under_way.begin([raw], subscriber.consume(raw))
            task.add_done_callback(lambda _: free.release())
    finally:
        await pull.close()
        await under_way.end()
