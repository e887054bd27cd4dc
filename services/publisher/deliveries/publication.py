"""All the publisher knows of one submission: the decision in force, the tombstone, its deliveries. Pure.

It is one aggregate, so that whether a delivery may be sent is decided in the same write that begins the sending,
and so that no two deliveries of a submission can be on one channel in one language. Every function gives back a
new value; `told` collects the deliveries whose change is to be told to the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.publisher.channels.port import Capabilities, Sample
from services.publisher.deliveries.model import GONE, Delivery, Refused, Rules
from services.publisher.deliveries.retry_policy import begin
from services.publisher.deliveries.short_links import delivery_id
from services.publisher.deliveries.transitions import advance
from services.publisher.deliveries.triggers import (
    Approved,
    Awaited,
    Happening,
    Released,
    Replaced,
    Retired,
    Retirement,
)
from shared.events import Attribution, Snapshot, Tombstone
from shared.retention.model import End
from shared.text.language_ranges import in_ranges

_ANY = Rules(Capabilities(lookup=False, idempotent=False, read_back=False, remove=False, sample=False))
"""For happenings that do not depend on the channel."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """A channel as planning sees it."""

    id: str
    kind: str
    languages: tuple[str, ...] | None = None
    """The languages that it takes; absent means every language."""
    replaces_in_place: bool = False
    """What a later decision shows takes the place of the earlier one, with nothing missing in between."""

    def takes(self, language: str) -> bool:
        """Whether it carries `language`; a channel for `sr` takes `sr-Latn` too."""
        return self.languages is None or in_ranges(language, self.languages)


@dataclass(frozen=True, slots=True)
class Permission:
    """The decision in force, as far as it allows publishing."""

    version: int
    revision: int
    decision_id: str
    event_id: str


@dataclass(frozen=True, slots=True)
class TombstoneRecord:
    """The submission must not be published any more, whatever is decided later."""

    kind: Tombstone
    at: datetime
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure that a channel gave for a delivery, to be told under `version` of the delivery."""

    delivery: Delivery
    version: int
    sample: Sample


@dataclass(frozen=True, slots=True)
class Publication:
    """One submission's publishing."""

    submission_id: str
    version: int = 0
    """Rises with every write; 0 when it was never stored."""
    case_version: int = 0
    """The newest decision known."""
    decided: str | None = None
    """The newest decision's event."""
    permission: Permission | None = None
    snapshots: Mapping[int, Snapshot] = field(default_factory=dict)
    """What was approved, by revision."""
    tombstone: TombstoneRecord | None = None
    deliveries: tuple[Delivery, ...] = ()
    told: tuple["Delivery | Reading", ...] = ()
    """What is to be told: deliveries as they were when they came into a new state, and new figures."""

    @property
    def end(self) -> End | None:
        """Why nobody needs its texts any more, and since when: it was taken back, and every channel has let go of it.

        What a person has to look for on a channel is needed for that.
        """
        if self.tombstone is None or any(each.state not in GONE for each in self.deliveries):
            return None
        return End(self.tombstone.kind, self.tombstone.at)

    @property
    def blank(self) -> "Publication":
        """Without what anybody wrote, and without pictures. States, addresses, codes, times and ids stay."""
        tombstone = self.tombstone and replace(self.tombstone, reason="")
        snapshots = {revision: _blank(each) for revision, each in self.snapshots.items()}
        deliveries = tuple(_without_words(each) for each in self.deliveries)
        return replace(self, tombstone=tombstone, snapshots=snapshots, deliveries=deliveries)

    def delivery(self, wanted: str) -> Delivery | None:
        """The delivery with this id."""
        return next((each for each in self.deliveries if each.id == wanted), None)

    def snapshot_of(self, delivery: Delivery) -> Snapshot:
        """What the delivery shows."""
        return self.snapshots[delivery.revision]

    def allowed(self, delivery: Delivery) -> int | None:
        """The version of the decision that allows sending it now, if one does."""
        if (
            self.tombstone is not None
            or self.permission is None
            or self.permission.revision != delivery.revision
        ):
            return None
        return self.permission.version

    def predecessor(self, delivery: Delivery) -> Delivery | None:
        """The delivery of an earlier decision that this one takes the place of; its revision may be a later one."""
        earlier = [d for d in self.deliveries if _same_slot(d, delivery) and d.approval < delivery.approval]
        return max((d for d in earlier if d.remote_id is not None), key=lambda d: d.approval, default=None)

    def successors(self, delivery: Delivery) -> list[Delivery]:
        """The deliveries of later decisions in the same place."""
        return [d for d in self.deliveries if _same_slot(d, delivery) and d.approval > delivery.approval]

    def put(self, delivery: Delivery) -> "Publication":
        """With `delivery` in place of the one with its id, or added."""
        before = self.delivery(delivery.id)
        if before is None:
            deliveries = (*self.deliveries, delivery)
        else:
            deliveries = tuple(delivery if each.id == delivery.id else each for each in self.deliveries)
        news = before is None or before.state != delivery.state
        return replace(self, deliveries=deliveries, told=(*self.told, delivery) if news else self.told)


def _blank(snapshot: Snapshot) -> Snapshot:
    attribution = Attribution(mode=snapshot.attribution.mode)
    empty = {"title": "", "body": "", "hashtags": (), "media": (), "attribution": attribution}
    return snapshot.model_copy(update=empty)


def _without_words(delivery: Delivery) -> Delivery:
    """What channels said may repeat what they were given."""
    failure = delivery.failure and delivery.failure.model_copy(update={"detail": ""})
    attempts = tuple(replace(each, detail="") for each in delivery.attempts)
    return replace(delivery, failure=failure, attempts=attempts, prepared={})


def happen(
    publication: Publication, wanted: str, happening: Happening, now: datetime, rules: Rules
) -> Publication | Refused:
    """The publication after something happened to one of its deliveries."""
    delivery = publication.delivery(wanted)
    if delivery is None:
        return Refused("unknown_delivery")
    after = advance(delivery, happening, now, rules)
    return after if isinstance(after, Refused) else publication.put(after)


def settle(
    publication: Publication, outlets: Sequence[Outlet], now: datetime, trace: str | None = None
) -> Publication:
    """Bring the deliveries in line with the decision in force: retire what must go, plan what is missing.

    Called after every change, in the same write.
    """
    wanted = _wanted(publication, outlets)
    for delivery in publication.deliveries:
        reason = _retirement(publication, delivery, wanted)
        if reason is not None:
            publication = _apply(publication, delivery, Retired(reason), now)
    for outlet in wanted:
        publication = _plan(publication, outlet, now, trace)
    in_place = {outlet.id for outlet in outlets if outlet.replaces_in_place}
    for delivery in publication.deliveries:
        if delivery.channel in in_place:
            publication = _hand_over(publication, delivery, now)
    return publication


def _wanted(publication: Publication, outlets: Sequence[Outlet]) -> tuple[Outlet, ...]:
    permission = publication.permission
    if permission is None or publication.tombstone is not None:
        return ()
    snapshot = publication.snapshots[permission.revision]
    return tuple(
        outlet
        for outlet in outlets
        if outlet.takes(snapshot.language) and (snapshot.channels is None or outlet.id in snapshot.channels)
    )


def _retirement(
    publication: Publication, delivery: Delivery, wanted: tuple[Outlet, ...]
) -> Retirement | None:
    if publication.tombstone is not None:
        return publication.tombstone.kind
    permission = publication.permission
    current = permission is not None and permission.revision == delivery.revision
    if current and any(outlet.id == delivery.channel for outlet in wanted):
        return None
    return "superseded"


def _plan(publication: Publication, outlet: Outlet, now: datetime, trace: str | None) -> Publication:
    permission = publication.permission
    assert permission is not None  # noqa: S101 - nothing is wanted without one
    snapshot = publication.snapshots[permission.revision]
    key = delivery_id(publication.submission_id, outlet.id, snapshot.language, permission.revision)
    if any(_in_the_way(each, key, outlet, snapshot) for each in publication.deliveries):
        return publication
    due_at = begin(snapshot.publish_at, now)
    existing = publication.delivery(key)
    if existing is not None:
        return _apply(publication, existing, Approved(permission.version, due_at), now)
    return publication.put(
        Delivery(
            id=key,
            submission_id=publication.submission_id,
            channel=outlet.id,
            kind=outlet.kind,
            language=snapshot.language,
            revision=permission.revision,
            approval=permission.version,
            edition=permission.version,
            planned_at=now,
            trace=trace,
            due_at=due_at,
            since=now,
        )
    )


def _in_the_way(other: Delivery, key: str, outlet: Outlet, snapshot: Snapshot) -> bool:
    """Whether `other` has to be gone before the delivery `key` can be planned."""
    if other.id == key or other.channel != outlet.id or other.state in GONE:
        return False
    replaceable = outlet.replaces_in_place and other.language == snapshot.language
    return not (replaceable and other.state == "removing" and other.lease is None)


def _hand_over(publication: Publication, delivery: Delivery, now: datetime) -> Publication:
    """Where a later revision takes the place: let the earlier one stay until then, and no longer."""
    if delivery.state != "removing":
        return publication
    successors = publication.successors(delivery)
    if not successors:
        return publication
    for successor in successors:
        if successor.remote_id is not None:
            proof = f"replaced in place by revision {successor.revision} ({successor.id})"
            return _apply(publication, delivery, Replaced(proof), now)
    step = Released() if all(each.state in GONE for each in successors) else Awaited()
    return _apply(publication, delivery, step, now)


def _apply(publication: Publication, delivery: Delivery, happening: Happening, now: datetime) -> Publication:
    after = advance(delivery, happening, now, _ANY)
    return publication if isinstance(after, Refused) else publication.put(after)


def _same_slot(one: Delivery, other: Delivery) -> bool:
    return (one.channel, one.language) == (other.channel, other.language)
