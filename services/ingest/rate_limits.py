"""Ingest's limits: how often one person, network or code may write or guess. All replicas share them."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, Literal

from services.ingest.settings import IngestSettings
from shared.http.rate_limit import Allowance, is_loopback, network_of
from shared.http.shared_limits import SharedLimiter
from shared.storage.mongo import Collection

Guess = Literal["recovery", "sign-in"]
"""Wrong recovery codes lock nobody out of signing in, nor the other way round."""
IsNewcomer = Callable[[str], Awaitable[bool]]
"""Whether nothing that this person sent was ever approved."""
NEWCOMER_FOR_SECONDS: Final = 60.0
"""How long a person who was a newcomer is taken for one without asking again."""
MOST_REMEMBERED: Final = 10_000


class RateLimits:
    """All limits of ingest together."""

    def __init__(self, settings: IngestSettings, collection: Collection, is_newcomer: IsNewcomer) -> None:
        def limiter(name: str, what: str, at_once: int, per_hour: int) -> SharedLimiter:
            return SharedLimiter(name, what, Allowance(at_once, per_hour), collection)

        self._people = limiter(
            "person", "submissions from you", settings.submissions_at_once, settings.submissions_per_hour
        )
        self._newcomers = limiter(
            "newcomer",
            "submissions from you before the first was approved",
            settings.newcomer_submissions_at_once,
            settings.newcomer_submissions_per_hour,
        )
        self._networks = limiter(
            "network", "requests from your network", settings.requests_at_once, settings.requests_per_hour
        )
        self._joins = limiter(
            "joins", "people who join from your network", settings.joins_at_once, settings.joins_per_hour
        )
        guesses = "wrong codes, links or tokens from your network"
        self._guesses: dict[Guess, SharedLimiter] = {
            "recovery": limiter("recovery", guesses, settings.guesses_at_once, settings.guesses_per_hour),
            "sign-in": limiter("sign-in", guesses, settings.guesses_at_once, settings.guesses_per_hour),
        }
        self._loopback_too, self._is_newcomer = settings.limit_loopback, is_newcomer
        self._known: dict[str, float] = {}
        """Until when a person is taken for a newcomer; for ever not, once something was approved."""

    async def prepare(self) -> None:
        """Make the index."""
        await self._people.prepare()

    async def run(self) -> None:
        """Bring what the replicas counted together, for ever."""
        counted = (self._people, self._newcomers, self._networks, self._joins)
        await asyncio.gather(*(each.run() for each in counted))

    async def write(self, host: str | None, person_id: str | None = None) -> None:
        """Count one writing request of a network and a person. Raises 429 `too_many_requests`."""
        if is_loopback(host) and not self._loopback_too:
            return
        self._networks.count(network_of(host))
        if person_id is not None:
            newcomer = await self._newcomer(person_id)
            (self._newcomers if newcomer else self._people).count(person_id)

    async def join(self, host: str | None) -> None:
        """Count one newcomer of a network. Raises 429 `too_many_requests`."""
        await self.write(host)
        if not is_loopback(host) or self._loopback_too:
            self._joins.count(network_of(host))

    async def guessed_wrong(self, guess: Guess, host: str | None) -> None:
        """Count what was looked up and is nobody's. Raises 429 `too_many_requests` after too many."""
        await self._guesses[guess].spend(network_of(host))

    async def _newcomer(self, person_id: str) -> bool:
        until = self._known.get(person_id)
        if until is not None:
            if until == float("-inf"):
                return False
            if monotonic() < until:
                return True
        newcomer = await self._is_newcomer(person_id)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[person_id] = monotonic() + NEWCOMER_FOR_SECONDS if newcomer else float("-inf")
        return newcomer
