"""What editors can do, whichever way they come: the calls that the API and the pages share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from services.publisher.channels.pasted_links import LinkRefused, PastedLinks, one_address
from services.publisher.channels.port import Capabilities, Channel, Posted
from services.publisher.channels.registry import SPECS
from services.publisher.deliveries import telemetry
from services.publisher.deliveries.documents import FOR_A_PERSON
from services.publisher.deliveries.model import Delivery, Refused, Rules
from services.publisher.deliveries.publication import Publication, happen, settle
from services.publisher.deliveries.retry_policy import Pace
from services.publisher.deliveries.service import take_back
from services.publisher.deliveries.store import Deliveries
from services.publisher.deliveries.triggers import Resolved
from services.publisher.desk.schemas import ChannelAnswer
from services.publisher.dispatch.health import Checkup
from services.publisher.dispatch.rate_limit_store import Accounts
from shared.campaign.model import ChannelEntry
from shared.http.cursors import moment_of
from shared.http.problems import Problem
from shared.http.shared_limits import SharedLimiter
from shared.identity.tokens import Principal

GONE_CHANNEL = Capabilities(lookup=False, idempotent=False, read_back=False, remove=False, sample=False)
"""Of a channel that the campaign file does not have any more."""
RESOLVED_AS: Mapping[str, tuple[str, ...]] = {
    "posted": ("posted", "removing", "removed"),
    "absent": ("planned", "sending", "posted", "cancelled", "removed"),
    "cancelled": ("cancelled",),
}
"""States in which the same resolution again changes nothing and is no mistake."""


@dataclass(frozen=True, slots=True)
class EditorialService:
    """The editor's desk."""

    deliveries: Deliveries
    channels: Mapping[str, Channel]
    entries: Mapping[str, ChannelEntry]
    accounts: Accounts
    checkup: Checkup
    public_url: str
    clock: Callable[[], datetime]
    pace: Pace
    recalls: SharedLimiter

    async def publication(self, submission_id: str, who: Principal) -> Publication:
        """A submission's publishing, which this person may see. Raises 404 and 403."""
        found = await self.deliveries.read(submission_id)
        if found.version == 0:
            raise Problem(
                404,
                "unknown_submission",
                f"Nothing has been decided on a submission {submission_id[:80]!r}. Check the id.",
            )
        if not sees(who, found):
            raise Problem(403, "out_of_scope", "This lies outside your languages, countries or sections.")
        return found

    async def publication_of(self, delivery_id: str, who: Principal) -> Publication:
        """The publication that a delivery belongs to, which this person may see. Raises 404 and 403."""
        publication = await self.deliveries.of_delivery(delivery_id)
        if publication is None:
            raise Problem(
                404, "unknown_delivery", f"There is no delivery {delivery_id[:80]!r}. Check the id."
            )
        return await self.publication(publication.submission_id, who)

    async def resolve(
        self,
        delivery_id: str,
        outcome: Literal["posted", "absent", "cancelled"],
        links: Sequence[str],
        who: Principal,
    ) -> Delivery:
        """What a person found out about a delivery that waits for one, and where they saw it.

        Raises 404, 403, 409, and 422 `link_invalid` with the `reason` of `LinkRefused`.
        """
        publication = await self.publication_of(delivery_id, who)
        delivery = found(publication, delivery_id)
        where = self._located(publication, delivery, links) if links and outcome == "posted" else None
        channel = self.channels.get(delivery.channel)
        rules = Rules(GONE_CHANNEL if channel is None else channel.capabilities, pace=self.pace)
        happening = Resolved(outcome, who.person_id)
        if where is not None:
            happening = replace(happening, url=where.url, remote_id=where.remote_id)

        def step(known: Publication) -> Publication | Refused:
            now = self.clock()
            after = happen(known, delivery_id, happening, now, rules)
            return after if isinstance(after, Refused) else settle(after, self.deliveries.outlets, now)

        done = await self.deliveries.change(publication.submission_id, step)
        if isinstance(done, Refused):
            return await self._resolved_before(publication.submission_id, delivery_id, outcome)
        telemetry.resolved(delivery_id, outcome, who.person_id)
        return found(done, delivery_id)

    def places_of(self, publication: Publication, delivery: Delivery) -> int:
        """How many addresses say where the whole delivery is."""
        spec = SPECS.get(delivery.kind)
        entry = self.entries.get(delivery.channel)
        return 1 if spec is None else spec.places(publication.snapshot_of(delivery), entry)

    def _located(self, publication: Publication, delivery: Delivery, links: Sequence[str]) -> Posted:
        spec = SPECS.get(delivery.kind)
        locate = one_address if spec is None else spec.locate
        snapshot, entry = publication.snapshot_of(delivery), self.entries.get(delivery.channel)
        try:
            return locate(PastedLinks(links, snapshot, entry))
        except LinkRefused as refused:
            raise Problem(422, "link_invalid", str(refused), reason=refused.code) from refused

    async def _resolved_before(self, submission_id: str, delivery_id: str, outcome: str) -> Delivery:
        delivery = found(await self.deliveries.read(submission_id), delivery_id)
        asked = any(each.outcome == f"person_{outcome}" for each in delivery.attempts)
        if asked and delivery.state in RESOLVED_AS[outcome]:
            return delivery
        raise Problem(
            409,
            "not_waiting",
            f"This delivery is {delivery.state} and does not wait for a person (or not for this answer); "
            "reload it to see what became of it.",
            state=delivery.state,
        )

    async def recall(self, submission_id: str, reason: str, who: Principal) -> Publication:
        """Take a submission back from everywhere. Raises 404, 403, and 409 `second_recall_needed`."""
        found = await self.publication(submission_id, who)
        if found.tombstone is None:
            await self._recall_alone(who)
        await take_back(
            self.deliveries, submission_id, "recalled", at=self.clock(), reason=reason, by=who.person_id
        )
        return await self.deliveries.read(submission_id)

    async def _recall_alone(self, who: Principal) -> None:
        """Many recalls are two people's work. Raises 409 `second_recall_needed`."""
        try:
            await self.recalls.spend(who.person_id)
        except Problem:
            raise Problem(
                409,
                "second_recall_needed",
                "You have recalled as many within an hour as one person may. Recall it on the moderation desk: "
                "there it is noted, and removed as soon as a second person recalls it too.",
            ) from None

    async def shown_channels(self) -> list[ChannelAnswer]:
        """Every channel with its address, health and budget."""
        return [
            ChannelAnswer.of(
                self.entries[each.id],
                each.capabilities,
                await self.accounts.read(each.id),
                self.checkup.finding(each.id),
                self.public_url,
            )
            for each in self.channels.values()
        ]

    async def waiting(
        self, who: Principal, cursor: str | None, limit: int
    ) -> tuple[list[Delivery], str | None]:
        """Deliveries of `limit` submissions that wait for a person, and where to go on. Raises 422 for a bad cursor."""
        after = None if cursor is None else _opened(cursor)
        page = await self.deliveries.for_a_person(limit, after)
        seen = [publication for publication, _ in page if sees(who, publication)]
        found = [each for one in seen for each in one.deliveries if each.state in FOR_A_PERSON]
        if len(page) < limit:
            return found, None
        last, since = page[-1]
        return found, f"{since.isoformat()}/{last.submission_id}"


def _opened(cursor: str) -> tuple[datetime, str]:
    moment, _, submission_id = cursor.partition("/")
    since = moment_of(moment)
    if since is None or not submission_id:
        raise Problem(
            422, "invalid_cursor", "This cursor is not one that `next` gave; leave it out to begin anew."
        )
    return since, submission_id


def found(publication: Publication, delivery_id: str) -> Delivery:
    """The delivery, which is there."""
    delivery = publication.delivery(delivery_id)
    assert delivery is not None  # noqa: S101 - deliveries are never taken out of a publication
    return delivery


def sees(who: Principal, publication: Publication) -> bool:
    """Whether a publication lies within a person's scopes."""
    return all(
        who.may_see(country=each.country, language=each.language, section=each.section)
        for each in publication.snapshots.values()
    )
