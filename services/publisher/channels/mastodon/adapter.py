"""Mastodon: plain statuses under an `Idempotency-Key`, found again by their short link, read back and counted.

A server keeps a key for about an hour and has been known to forget it sooner, so a repetition is not relied on: a commit of
unknown outcome is looked for among the account's newest statuses.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr

from services.publisher.channels.http_client import TOO_MANY, Wire, WireAnswer, retry_after, within_reason
from services.publisher.channels.mastodon.links import status_id
from services.publisher.channels.mastodon.message import CHARACTERS, idempotency_key, status_for
from services.publisher.channels.port import (
    Absent,
    Capabilities,
    ChannelHealth,
    NotSent,
    Outcome,
    Post,
    Posted,
    Preparation,
    Prepared,
    Rejected,
    Removed,
    Residue,
    Sample,
    Unknown,
)
from shared.events import Metric

CAPABILITIES: Final = Capabilities(
    lookup=True,
    idempotent=False,
    read_back=True,
    remove=True,
    sample=True,
    prepares=False,
    text_units=CHARACTERS,
    max_media=0,
    absent_after=30.0,
    rate_per_second=1.0,
)
NEWEST: Final = 40
"""Statuses that one page of a list holds at most."""
PAGES: Final = 5
"""Pages of the account's statuses in which one is looked for."""
CLOCKS_DIFFER: Final = timedelta(hours=1)
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, GONE = 401, 403, 404, 410
_OF_THE_ACCOUNT: Final = frozenset({UNAUTHORIZED, FORBIDDEN, NOT_FOUND, GONE})
_FIGURES: Final[Mapping[str, Metric]] = {
    "favourites_count": "reactions",
    "reblogs_count": "shares",
    "replies_count": "comments",
}


class Mastodon:
    """One account on one server."""

    kind = "mastodon"

    def __init__(
        self,
        channel_id: str,
        *,
        base_url: str,
        token: SecretStr,
        wire: Wire | None = None,
        capabilities: Capabilities = CAPABILITIES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.id, self.capabilities = channel_id, capabilities
        self._api = f"{base_url.rstrip('/')}/api/v1"
        self._headers = {"authorization": f"Bearer {token.get_secret_value()}"}
        self._wire = wire or Wire(channel_id, secrets=(token.get_secret_value(),))
        self._now = now

    async def prepare(self, post: Post, so_far: Prepared) -> Preparation:  # noqa: ARG002
        """There is nothing to prepare."""
        return {}

    async def commit(self, post: Post, prepared: Prepared) -> Outcome:  # noqa: ARG002 - nothing is prepared
        """Post the status."""
        fields = status_for(post, self.capabilities.text_units or CHARACTERS)
        answer = await self._wire.send(
            "POST",
            f"{self._api}/statuses",
            call="post status",
            headers={
                **self._headers,
                "content-type": "application/json",
                "idempotency-key": idempotency_key(post),
            },
            content=json.dumps(fields, ensure_ascii=False).encode(),
        )
        if not isinstance(answer, WireAnswer):
            return answer
        if answer.ok:
            return _posted(answer.json()) or Unknown(
                "unreadable", "Mastodon answered 200 without saying which status it made"
            )
        refused = self._refused(answer)
        if isinstance(refused, Residue):
            scope = _OF_THE_ACCOUNT.intersection({answer.status})
            return Rejected(f"http_{answer.status}", refused.detail, "channel" if scope else "post")
        return refused

    async def reconcile(self, post: Post, prepared: Prepared) -> Posted | Absent | Unknown:  # noqa: ARG002
        """Look for the short link among the account's newest statuses, back to when the delivery was planned."""
        me = await self._ask("accounts/verify_credentials", "who am I")
        if isinstance(me, Unknown | Absent) or not isinstance(me, Mapping) or "id" not in me:
            return me if isinstance(me, Unknown) else Unknown("unreadable", "Mastodon did not say who we are")
        older_than = ""
        for _ in range(PAGES):
            path = f"accounts/{me['id']}/statuses?limit={NEWEST}&exclude_reblogs=true{older_than}"
            found = await self._ask(path, "list statuses")
            if isinstance(found, Unknown | Absent) or not isinstance(found, list):
                return found if isinstance(found, Unknown) else Unknown("unreadable", "no list of statuses")
            for status in found:
                if post.short_link in str(status.get("content", "")):
                    return _posted(status) or Unknown("unreadable", "a status without an id")
            if not found or _before(found[-1], post.planned_at - CLOCKS_DIFFER):
                return Absent()
            older_than = f"&max_id={found[-1]['id']}"
        return Unknown("too_many", f"not among the newest {NEWEST * PAGES} statuses")

    async def read_back(self, post: Post, remote_id: str) -> Posted | Absent | Unknown:
        """Read the status again."""
        number = status_id(remote_id)
        if number is None:
            return await self.reconcile(post, {})
        found = await self._ask(f"statuses/{number}", "read status")
        if isinstance(found, Unknown | Absent):
            return found
        return _posted(found) or Unknown("unreadable", "Mastodon answered with something that is no status")

    async def remove(self, post: Post, remote_id: str) -> Removed | Residue | NotSent | Unknown:
        """Delete the status, and read it again to see that it is gone."""
        if status_id(remote_id) is None:  # a person said that it is there, not where
            found = await self.reconcile(post, {})
            if not isinstance(found, Posted):
                return Removed("looked for, not found") if isinstance(found, Absent) else found
            remote_id = found.remote_id
        remote_id = status_id(remote_id) or remote_id
        answer = await self._wire.send(
            "DELETE", f"{self._api}/statuses/{remote_id}", call="delete status", headers=self._headers
        )
        if not isinstance(answer, WireAnswer):
            return answer
        if not answer.ok and answer.status not in {NOT_FOUND, GONE}:
            return self._refused(answer)
        left = await self.read_back(post, remote_id)
        if isinstance(left, Absent):
            return Removed(f"status {remote_id} was deleted ({answer.status}), read again, and is gone")
        return (
            left
            if isinstance(left, Unknown)
            else Unknown("still_there", f"status {remote_id} is still shown")
        )

    async def sample(self, post: Post, remote_id: str) -> Sequence[Sample]:  # noqa: ARG002
        """The status' own counts, as the server shows them. It counts no views."""
        number = status_id(remote_id)
        found = await self._ask(f"statuses/{number}", "read status") if number else None
        if not isinstance(found, Mapping):
            return ()
        seen = self._now()
        return [
            Sample(metric, "cumulative", found[name], f"mastodon:{name}", seen)
            for name, metric in _FIGURES.items()
            if isinstance(found.get(name), int) and found[name] >= 0
        ]

    async def health(self) -> ChannelHealth:
        """Whether the token is good."""
        me = await self._ask("accounts/verify_credentials", "who am I")
        if isinstance(me, Unknown):
            return ChannelHealth(ok=False, detail=me.detail)
        if not isinstance(me, Mapping):
            return ChannelHealth(ok=False, detail="Mastodon did not say who we are")
        return ChannelHealth(ok=True, facts={"account": str(me.get("acct", ""))[:100]})

    async def close(self) -> None:
        """Let go of the connection."""
        await self._wire.close()

    async def _ask(self, path: str, call: str) -> Any | Absent | Unknown:
        """What a call answers that only asks."""
        answer = await self._wire.send(
            "GET", f"{self._api}/{path}", call=call, kind="look", headers=self._headers
        )
        if not isinstance(answer, WireAnswer):
            return Unknown(answer.code, answer.detail)
        if answer.ok:
            return answer.json()
        if answer.status in {NOT_FOUND, GONE}:
            return Absent()
        return Unknown(f"http_{answer.status}", f"{call}: {self._words(answer)}")

    def _refused(self, answer: WireAnswer) -> NotSent | Unknown | Residue:
        if answer.status == TOO_MANY:
            return NotSent("rate_limited", "Mastodon asks us to wait", self._wait(answer))
        if answer.ambiguous:
            return Unknown(f"http_{answer.status}", f"Mastodon answered {answer.status}")
        return Residue(self._words(answer))

    def _wait(self, answer: WireAnswer) -> float | None:
        """Seconds until a request is taken again, by either header that servers send."""
        asked = retry_after(answer.headers, self._now())
        if asked is not None:
            return asked
        try:
            reset = datetime.fromisoformat(answer.headers.get("x-ratelimit-reset", ""))
            return within_reason(max(0.0, (reset - self._now()).total_seconds()))
        except (ValueError, TypeError, OverflowError):
            return None

    def _words(self, answer: WireAnswer) -> str:
        body = answer.json()
        said = body.get("error") if isinstance(body, Mapping) else None
        return self._wire.scrub(f"{answer.status} {said or ''}".strip())


def _posted(status: Any) -> Posted | None:
    """The status in an answer, if it is one."""
    if not isinstance(status, Mapping) or not isinstance(status.get("id"), str) or not status["id"].isdigit():
        return None
    url = status.get("url")
    return Posted(status["id"], url if isinstance(url, str) else None)


def _before(status: Any, moment: datetime) -> bool:
    """Whether a status is older than a moment, as far as it says."""
    try:
        return datetime.fromisoformat(status["created_at"]) < moment
    except (KeyError, TypeError, ValueError):
        return False
