"""What a channel is given to show, and where a short link leads."""

from dataclasses import dataclass

from services.publisher.channels.port import Post
from services.publisher.channels.website import paths
from services.publisher.deliveries.model import Delivery
from services.publisher.deliveries.publication import Publication
from services.publisher.deliveries.short_links import short_link
from shared.events import Snapshot


@dataclass(frozen=True, slots=True)
class Addresses:
    """The campaign's public addresses. `website` says whether there is a website to lead to."""

    public_url: str
    website: bool

    def page(self, snapshot: Snapshot) -> str | None:
        """The submission's page on the campaign's own website."""
        if not self.website or not paths.well_formed(snapshot.language):
            return None
        return paths.url(
            self.public_url, paths.page(paths.code_of(snapshot.submission_id), snapshot.language)
        )

    def target(self, snapshot: Snapshot) -> str:
        """Where the short link leads."""
        return self.page(snapshot) or f"{self.public_url}/"

    def post(self, publication: Publication, delivery: Delivery) -> Post:
        """The delivery as its channel sees it."""
        snapshot = publication.snapshot_of(delivery)
        before = publication.predecessor(delivery)
        return Post(
            delivery_id=delivery.id,
            channel=delivery.channel,
            language=delivery.language,
            revision=delivery.revision,
            snapshot=snapshot,
            short_link=short_link(self.public_url, delivery.id),
            page_url=self.page(snapshot),
            planned_at=delivery.planned_at,
            edition=delivery.edition,
            round=delivery.round,
            attempt=max(delivery.attempt, 1),
            previous_remote_id=None if before is None else before.remote_id,
        )
