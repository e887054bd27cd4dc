"""Whether a session still goes on: a member of staff who does nothing for `IDLE` has left, wherever the cookie is by then.

Ingest keeps one document per session, with when it was last used, and is asked by the others: at most once a minute for
each session and process. How long a session may last at all is in its token, whose expiry every service checks.
"""

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import httpx
import structlog

from shared.concurrency.single_flight import SingleFlight
from shared.failures import Unavailable
from shared.identity.tokens import IDLE, RENEWAL, TokenClaims
from shared.storage.mongo import Collection, DuplicateKeyError

log = structlog.get_logger()

EVERY_SECONDS: Final = 60.0
"""How long a session that was seen to go on is taken to do so; a session ends at most this much late."""
EVERY: Final = timedelta(seconds=EVERY_SECONDS)
TIMEOUT_SECONDS: Final = 3.0
MOST_REMEMBERED: Final = 10_000
"""Sessions that a process remembers; a bound on memory."""
SEEN_PATH: Final = "/v1/sessions/seen"


class _Recent:
    """Which sessions were seen to go on a moment ago."""

    def __init__(self) -> None:
        self._used: dict[str, float] = {}
        self._seen: dict[str, float] = {}

    def knows(self, session_id: str, *, used: bool) -> bool:
        """Whether asking would tell nothing new."""
        at = self._used.get(session_id, float("-inf"))
        if not used:
            at = max(at, self._seen.get(session_id, float("-inf")))
        return monotonic() - at < EVERY_SECONDS

    def note(self, session_id: str, *, used: bool) -> None:
        """It goes on."""
        noted = self._used if used else self._seen
        if len(noted) >= MOST_REMEMBERED:
            noted.clear()
        noted[session_id] = monotonic()

    def forget(self, session_id: str) -> None:
        """It has ended."""
        self._used.pop(session_id, None)
        self._seen.pop(session_id, None)


class KeptSessions:
    """Ingest's own. Volunteers' sessions have no end but their tokens'."""

    def __init__(self, collection: Collection) -> None:
        self._collection, self._recent = collection, _Recent()

    async def prepare(self) -> None:
        """Make the index by which sessions that can't go on are removed."""
        await self._collection.create_index([("until", 1)], expireAfterSeconds=0, name="until")

    async def over(self, claims: TokenClaims, token: str, *, used: bool) -> bool:  # noqa: ARG002 - the port's parameter
        """See `shared.identity.tokens.LiveSessions`."""
        session_id = claims.sid
        if session_id is None or claims.role == "volunteer" or self._recent.knows(session_id, used=used):
            return False
        if await self._goes_on(session_id, claims, datetime.now(UTC), used=used):
            self._recent.note(session_id, used=used)
            return False
        self._recent.forget(session_id)
        return True

    async def _goes_on(self, session_id: str, claims: TokenClaims, now: datetime, *, used: bool) -> bool:
        live = {"_id": session_id, "seen_at": {"$gte": now - IDLE - EVERY}}
        if not used:
            if await self._collection.find_one(live, {"_id": 1}) is not None:
                return True
        elif (await self._collection.update_one(live, {"$set": {"seen_at": now}})).matched_count:
            return True
        if claims.iat < (now - IDLE).timestamp():
            return False
        # It has only just begun; the first to see it writes it down.
        try:
            await self._collection.insert_one(
                {
                    "_id": session_id,
                    "person_id": claims.sub,
                    "opened_at": datetime.fromtimestamp(claims.iat, UTC),
                    "seen_at": now,
                    "until": datetime.fromtimestamp(claims.exp, UTC),
                }
            )
        except DuplicateKeyError:
            return True
        return True


class RemoteSessions:
    """Ingest's, as other services know them. While ingest is away, a session goes on for `IDLE` after it was last seen."""

    def __init__(self, ingest_url: str) -> None:
        self._url = f"{ingest_url}{SEEN_PATH}"
        self._recent = _Recent()
        self._asking: SingleFlight[tuple[str, bool], bool | None] = SingleFlight()
        self._last: dict[str, float] = {}

    async def over(self, claims: TokenClaims, token: str, *, used: bool) -> bool:
        """See `shared.identity.tokens.LiveSessions`."""
        session_id = claims.sid
        if session_id is None or self._recent.knows(session_id, used=used):
            return False
        # What belongs to one page, and comes at once, asks once.
        over = await self._asking.get((token, used), lambda: self._ask(token, used=used))
        if over is None:
            if monotonic() - self._first_or_last(session_id) < IDLE.total_seconds():
                return False
            raise Unavailable(self._url)
        if over:
            self._recent.forget(session_id)
            return True
        self._recent.note(session_id, used=used)
        self._last[session_id] = monotonic()
        return False

    def _first_or_last(self, session_id: str) -> float:
        if len(self._last) >= MOST_REMEMBERED:
            self._last.clear()
        return self._last.setdefault(session_id, monotonic())

    async def _ask(self, token: str, *, used: bool) -> bool | None:
        """Whether it is over; nothing when ingest does not say."""
        headers = {"Authorization": f"Bearer {token}"} | ({} if used else {RENEWAL: "1"})
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
                answer = await client.post(self._url, headers=headers)
        except httpx.HTTPError as error:
            log.warning("sessions_unreachable", url=self._url, error=type(error).__name__)
            return None
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            return True
        return False if answer.is_success else None
