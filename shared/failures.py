"""What a failure means, decided in one pure function.

A failed message is one of three: *unprocessable* (dead-lettered at once, with the raw bytes and the reason), *unavailable*
(our own store or bus is away: wait until it is back, never dead-lettered), *anything else* (tried again with backoff,
dead-lettered after `MAX_FAILURES` recorded failures). `shared.bus.consuming` obeys; nothing else in the project catches
everything.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

import structlog

log = structlog.get_logger()

T = TypeVar("T")

MAX_FAILURES: Final = 8
"""Failures of one message in one consumer before it is dead-lettered."""
SHORTEST_DELAY: Final = 1.0
LONGEST_DELAY: Final = 300.0
"""Seconds between two attempts, before jitter."""


class Unprocessable(Exception):
    """No retry can help: the message is wrong and will stay wrong. The text is the reason it is dead-lettered with."""


class Forged(Unprocessable):
    """The message is not its service's own. `code` is `unsigned`, `unknown_key` or `altered`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"refused ({code}): {detail}")
        self.code = code


class Unavailable(Exception):
    """Our own store or bus is away. The text names what."""


class Conflict(Exception):
    """Others kept changing the same thing, and nothing was stored: try again. The text names the thing.

    Nothing of ours is away: told as an outage it would stop a consumer, and alarm an operator.
    """


class Meaning(Enum):
    """What a failure means for its message."""

    UNPROCESSABLE = "unprocessable"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Put the raw message aside, with the reason, and go on."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Take no further message until our own store and bus are back; then let this one come again."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Let it come again after `delay` seconds."""

    delay: float


Settlement = DeadLetter | Wait | Retry


def settle(meaning: Meaning, reason: str, failures: int, jitter: float) -> Settlement:
    """Rule on a failed message.

    `failures` counts the recorded failures of this message in this consumer, this one included; `jitter` lies in [0, 1).
    """
    if meaning is Meaning.UNAVAILABLE:
        return Wait()
    if meaning is Meaning.UNPROCESSABLE:
        return DeadLetter(reason)
    if failures >= MAX_FAILURES:
        return DeadLetter(f"failed {failures} times, last: {reason}")
    return Retry(backoff(failures, jitter))


def backoff(
    attempt: int, jitter: float, shortest: float = SHORTEST_DELAY, longest: float = LONGEST_DELAY
) -> float:
    """Seconds until attempt `attempt + 1`: doubling from `shortest` to `longest`, between half and the whole of it."""
    whole = min(longest, shortest * 2.0 ** (max(attempt, 1) - 1))
    return whole * (0.5 + jitter / 2)


def jitter() -> float:
    """A random number in [0, 1) for `backoff`."""
    return random.random()  # noqa: S311 - spreads load, guards nothing


_means_away: list[Callable[[BaseException], bool]] = []


def means_away(rule: Callable[[BaseException], bool]) -> Callable[[BaseException], bool]:
    """Register the rule of a driver's own module: which of its errors say that our own store or bus is away."""
    _means_away.append(rule)
    return rule


def meaning_of(error: BaseException) -> Meaning:
    """Class a failure. Our own store and bus being away is never the message's fault."""
    if isinstance(error, Unprocessable):
        return Meaning.UNPROCESSABLE
    if isinstance(error, Unavailable) or any(away(error) for away in _means_away):
        return Meaning.UNAVAILABLE
    return Meaning.FAILED


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, and what it means."""

    error: Exception
    meaning: Meaning

    @property
    def reason(self) -> str:
        """One line for people: the error's class and text, shortened."""
        return f"{type(self.error).__name__}: {self.error}"[:500]


async def attempt(call: Awaitable[T]) -> T | Failure:
    """Await `call`; give back its result, or the failure with its meaning. Cancellation passes through.

    The one place of the project that catches everything, so that nothing is swallowed anywhere else.
    """
    try:
        return await call
    except Exception as error:  # noqa: BLE001 - settling every failure is this function's whole purpose
        return Failure(error, meaning_of(error))


async def keep_running(name: str, job: Callable[[], Awaitable[None]]) -> None:
    """Run `job` for ever; when it fails, say so, wait with backoff, and start it again."""
    failures = 0
    while True:
        result = await attempt(job())
        if isinstance(result, Failure):
            failures = min(failures + 1, 16)
            pause = backoff(failures, jitter(), shortest=0.2, longest=5.0)
            log.warning(
                "job_failed",
                job=name,
                meaning=result.meaning.value,
                reason=result.reason,
                again_in=round(pause, 2),
                exc_info=result.error if result.meaning is Meaning.FAILED else None,
            )
            await asyncio.sleep(pause)
        else:
            failures = 0
            await asyncio.sleep(0)
