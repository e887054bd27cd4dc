"""The port between the delivery machine and a channel.

A channel's work is split so that only one call, the commit, can make something visible. Everything before it may be
repeated; everything after it only looks or removes. A channel never retries by itself and never guesses: what it does
not know it calls `Unknown`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from shared.events import Metric, ReachKind, Snapshot


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can do. One row of the capability table in `docs/channels.md`."""

    lookup: bool
    """It can be asked whether a commit of unknown outcome happened."""
    idempotent: bool
    """Repeating a commit with the same delivery id cannot show it twice."""
    read_back: bool
    """A posted delivery can be read again, so that a lying answer is caught."""
    remove: bool
    sample: bool
    prepares: bool = True
    """Something has to be done, or looked after, before the commit. Without it one write claims and begins."""
    text_units: int | None = None
    """The longest text, in the channel's own units; absent means no limit."""
    media_text_units: int | None = None
    """The longest text beside media (a caption)."""
    max_media: int | None = None
    ai_field: bool = False
    """It has a field for the AI label; otherwise the label is put into the text."""
    absent_after: float = 0.0
    """Seconds between two negative lookups before a commit of unknown outcome counts as absent."""
    rate_per_second: float | None = None
    in_flight: int = 8
    """Calls that one process has under way at the same time, each of another submission: one that hangs holds up only
    its own."""


@dataclass(frozen=True, slots=True)
class Post:
    """One delivery as its channel sees it: what is to be shown, frozen when it was planned."""

    delivery_id: str
    channel: str
    language: str
    revision: int
    snapshot: Snapshot
    short_link: str
    page_url: str | None
    """The submission's page on the campaign's own website, where there is one."""
    planned_at: datetime
    edition: int = 0
    """Rises with every decision: the highest takes the place of the others. 0 where the revision says it."""
    round: int = 0
    """How often this very delivery was posted and removed before."""
    attempt: int = 1
    previous_remote_id: str | None = None
    """What is on the channel in its place, by an earlier decision."""


@dataclass(frozen=True, slots=True)
class Posted:
    """It is there."""

    remote_id: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The channel will never take it as it is. `scope="channel"` when the account, not the post, is the trouble."""

    code: str
    detail: str
    scope: Literal["post", "channel"] = "post"


@dataclass(frozen=True, slots=True)
class NotSent:
    """It provably did not happen (the request never left, or a documented not-executed answer): safe to try again."""

    code: str
    detail: str
    retry_after: float | None = None
    """Seconds the channel asked us to wait."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have happened. Never tried again blindly."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Absent:
    """A look found nothing."""


@dataclass(frozen=True, slots=True)
class Removed:
    """It is gone, with the proof (what was asked and answered)."""

    proof: str


@dataclass(frozen=True, slots=True)
class Residue:
    """It cannot be removed by us; somebody has to."""

    detail: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A figure as the channel gave it. No figure is ever made up: what a channel does not say is no sample."""

    metric: Metric
    kind: ReachKind
    value: int
    source: str
    observed_at: datetime
    day: str | None = None
    audience_country: str | None = None


Prepared = Mapping[str, str]
"""What `prepare` leaves for its own next step, for `commit` and `reconcile`: upload handles, offsets, container ids. Kept in
the delivery."""


@dataclass(frozen=True, slots=True)
class Underway:
    """One step of the preparation is done and another is needed: the next part of an upload, another look at a container."""

    so_far: Prepared
    """What the next step goes on from; stored before it begins, by whichever worker."""
    again_in: float = 0.0
    """Seconds before the next step makes sense."""


Preparation = Prepared | Underway | Rejected | NotSent

Outcome = Posted | Rejected | NotSent | Unknown


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """Whether a channel can be used now, for people."""

    ok: bool
    detail: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


class Channel(Protocol):
    """What every adapter offers. All calls raise nothing but `asyncio.CancelledError`."""

    id: str
    kind: str
    capabilities: Capabilities

    async def prepare(self, post: Post, so_far: Prepared) -> Preparation:
        """Do what can be repeated without being seen (uploads, containers), as far as one call's deadline allows.

        What needs longer answers `Underway`, and is called again with what it left: an upload of an hour is many steps.
        `so_far` is empty at first; after a commit that provably did not happen it is what was prepared for it, of which
        handles may have expired. A step may be repeated: its worker may have ended before what it left was stored.
        """

    async def commit(self, post: Post, prepared: Prepared) -> Outcome:
        """Make it visible, in one call. At most one attempt leaves the process."""

    async def reconcile(self, post: Post, prepared: Prepared) -> Posted | Absent | Unknown:
        """Find out what a commit of unknown outcome did. Only with `capabilities.lookup`."""

    async def read_back(self, post: Post, remote_id: str) -> Posted | Absent | Unknown:
        """Look at what was posted. Only with `capabilities.read_back`."""

    async def remove(self, post: Post, remote_id: str) -> Removed | Residue | NotSent | Unknown:
        """Take it away and look again. Removing what is gone is `Removed`."""

    async def sample(self, post: Post, remote_id: str) -> Sequence[Sample]:
        """The figures the channel has now; none where it has none."""

    async def health(self) -> ChannelHealth:
        """Whether the channel can be used."""


class OwnSite(Protocol):
    """The campaign's own website, as a channel uses it. Raises what the media store raises."""

    def page_url(self, submission_id: str, language: str) -> str:
        """Where a submission's page is, or will be."""

    async def publish(self, post: Post) -> str:
        """Put a delivery's page up; its public address. May be repeated."""

    async def looks(self, post: Post) -> bool | None:
        """Whether the delivery's page is up and whole; `None` when only traces of it are there."""

    async def withdraw(self, post: Post) -> str:
        """Take a delivery away from everywhere, and look that it is gone; the proof."""

    async def reachable(self) -> None:
        """Return when the website's files can be read."""
