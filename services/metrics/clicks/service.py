"""Short links followed: where they lead, and which of them count. Depends on neither database nor bus."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Final
from uuid import uuid4

from services.metrics import telemetry
from services.metrics.clicks.bot_filter import is_person
from services.metrics.clicks.link_cache import Links, fallback, well_formed
from services.metrics.clicks.spool import Spool
from services.metrics.clicks.waiting_room import WaitingRoom
from shared.events import ReachClicked
from shared.http.problems import Problem
from shared.http.rate_limit import Limiter, is_loopback, network_of

LOOK_SECONDS: Final = 1.0
LOOKED_UP: Final = 50
"""Waiting codes that are looked up at once."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a request for a short link says. Nothing of it is kept."""

    code: str
    method: str
    headers: Mapping[str, str]
    host: str | None


class ShortLinks:
    """Leads on, and counts people's clicks on deliveries that exist."""

    def __init__(
        self,
        links: Links,
        spool: Spool,
        limiter: Limiter,
        *,
        public_url: str,
        store_is_there: Callable[[], bool],
        limit_loopback: bool = False,
    ) -> None:
        self._links, self._spool, self._limiter = links, spool, limiter
        self._public_url, self._store_is_there = public_url, store_is_there
        self._limit_loopback = limit_loopback
        self.waiting = WaitingRoom()

    async def follow(self, visit: Visit) -> str:
        """Where a link leads. Raises `Problem`: 404 for what is no link, 429 when a network tries codes without end.

        A network that follows links too fast is led on where the way is known, but neither counted nor looked up for.
        """
        code = well_formed(visit.code)
        if code is None:
            raise _no_such_link(visit.code)
        within = (is_loopback(visit.host) and not self._limit_loopback) or self._limiter.allows(
            network_of(visit.host)
        )
        target = await self._links.target(code, ask=within and self._store_is_there())
        if target is None and not within:
            self._limiter.check(network_of(visit.host))
        telemetry.redirected(await self._count(visit, code, known=target is not None, within=within))
        return target or fallback(self._public_url, code)

    async def _count(self, visit: Visit, code: str, *, known: bool, within: bool) -> str:
        if not is_person(visit.method, visit.headers):
            return "machine"
        if not within:
            return "limited"
        click = click_on(code, datetime.now(UTC))
        if not known:
            telemetry.clicks_unknown(self.waiting.add(click, monotonic()))
            return "waiting"
        return "counted" if await self._spool.add(click) else "lost"

    async def run(self) -> None:
        """See for ever whether waiting clicks have found their delivery."""
        while True:
            await self.drain()
            await asyncio.sleep(LOOK_SECONDS)

    async def drain(self) -> None:
        """Count waiting clicks whose delivery is known by now; let those go that have waited too long."""
        codes = self.waiting.codes(LOOKED_UP)
        if not codes:
            return
        known = await self._links.known(codes, ask=self._store_is_there())
        for click in self.waiting.claim(known):
            await self._spool.add(click)
        telemetry.clicks_unknown(self.waiting.expire(monotonic(), codes))


def click_on(code: str, now: datetime) -> ReachClicked:
    """A click. It is its own aggregate: its id is its subject."""
    event_id = uuid4()
    return ReachClicked(event_id=event_id, occurred_at=now, subject_id=str(event_id), version=1, code=code)


def _no_such_link(given: str) -> Problem:
    head = well_formed(given[:10])
    meant = f" Perhaps /r/{head} was meant, without what follows it." if head else ""
    return Problem(
        404,
        "no_such_link",
        f"{given[:40]!r} is no short link: they have ten letters a-z and digits 2-7.{meant}",
    )
