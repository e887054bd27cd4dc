"""The campaign's own website as a channel: what it posts it can find, read again and take away without a trace."""

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from services.publisher.channels.http_client import Wire, WireAnswer
from services.publisher.channels.port import (
    Absent,
    Capabilities,
    ChannelHealth,
    NotSent,
    Outcome,
    OwnSite,
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
from services.publisher.channels.website.paths import well_formed
from services.publisher.channels.website.site import Lingering, marker
from shared.failures import Unavailable
from shared.storage.media import StorageFull

CAPABILITIES = Capabilities(
    lookup=True, idempotent=True, read_back=True, remove=True, sample=False, prepares=False, ai_field=True
)
NOT_FOUND, GONE = 404, 410
T = TypeVar("T")


class Website:
    """The website. A delivery's remote id is its page's public address."""

    kind = "website"

    def __init__(
        self,
        channel_id: str,
        site: OwnSite,
        *,
        public: Wire | None = None,
        capabilities: Capabilities = CAPABILITIES,
    ) -> None:
        """With `public`, what was posted is read back over the public address too, as readers get it."""
        self.id, self.capabilities = channel_id, capabilities
        self._site = site
        self._public = public

    async def prepare(self, post: Post, so_far: Prepared) -> Preparation:  # noqa: ARG002
        """There is nothing to prepare."""
        return {}

    async def commit(self, post: Post, prepared: Prepared) -> Outcome:  # noqa: ARG002 - nothing is prepared
        """Put the page up. Repeating it changes nothing."""
        if not well_formed(post.language):
            return Rejected("language", f"{post.language!r} is no language tag, so it can have no page")
        url = await _stored(self._site.publish(post))
        return url if isinstance(url, Unknown) else Posted(url, url)

    async def reconcile(self, post: Post, prepared: Prepared) -> Posted | Absent | Unknown:  # noqa: ARG002
        """Look for the page. What was only begun is taken away, so that nothing is half there."""
        found = await _stored(self._site.looks(post))
        if isinstance(found, Unknown):
            return found
        if found:
            return self._posted(post)
        if found is None and isinstance(undone := await _stored(self._site.withdraw(post)), Unknown):
            return undone
        return Absent()

    async def read_back(self, post: Post, remote_id: str) -> Posted | Absent | Unknown:  # noqa: ARG002
        """Look whether the page is up, with everything that it shows."""
        found = await _stored(self._site.looks(post))
        if isinstance(found, Unknown):
            return found
        if not found:
            return Absent()
        return self._posted(post) if self._public is None else await self._seen(post, self._public)

    async def remove(self, post: Post, remote_id: str) -> Removed | Residue | NotSent | Unknown:  # noqa: ARG002
        """Take it away from everywhere and look again."""
        proof = await _stored(self._site.withdraw(post))
        return proof if isinstance(proof, Unknown) else Removed(proof)

    async def sample(self, post: Post, remote_id: str) -> Sequence[Sample]:  # noqa: ARG002
        """Nobody counts the website's readers; its short links are counted as clicks by metrics."""
        return ()

    async def health(self) -> ChannelHealth:
        """Whether its files can be read."""
        done = await _stored(self._site.reachable())
        return ChannelHealth(
            ok=not isinstance(done, Unknown), detail=done.detail if isinstance(done, Unknown) else ""
        )

    async def _seen(self, post: Post, public: Wire) -> Posted | Absent | Unknown:
        """Whether readers get the page."""
        url = self._site.page_url(post.snapshot.submission_id, post.language)
        answer = await public.send("GET", url, call="read back", kind="look")
        if not isinstance(answer, WireAnswer):
            return Unknown(answer.code, answer.detail)
        if answer.ok and marker(post) in answer.body:
            return self._posted(post)
        if answer.ok or answer.status in {NOT_FOUND, GONE}:
            return Absent()
        return Unknown(f"http_{answer.status}", f"the public address answers {answer.status}")

    async def close(self) -> None:
        """Let go of the connection."""
        if self._public is not None:
            await self._public.close()

    def _posted(self, post: Post) -> Posted:
        url = self._site.page_url(post.snapshot.submission_id, post.language)
        return Posted(url, url)


async def _stored(call: Awaitable[T]) -> T | Unknown:
    """What the website's store answers, or that nobody knows what it did."""
    try:
        return await call
    except FileNotFoundError as error:
        return Unknown("media_missing", f"a picture or video is not in the media store ({error})")
    except StorageFull:
        return Unknown("storage_full", "the media store has no room left")
    except Unavailable as error:
        return Unknown("store_away", str(error))
    except Lingering as error:
        return Unknown("lingering", str(error))
