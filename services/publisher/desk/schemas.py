"""Deliveries and channels as the API shows them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import PlainSerializer, SerializerFunctionWrapHandler, model_serializer

from services.publisher.channels.port import Capabilities
from services.publisher.channels.registry import spec_of
from services.publisher.deliveries.model import Attempt, Delivery
from services.publisher.deliveries.publication import Publication
from services.publisher.deliveries.short_links import short_link
from services.publisher.deliveries.triggers import Retirement
from services.publisher.dispatch.health import ChannelFinding
from services.publisher.dispatch.rate_limit import Account
from shared.campaign.model import ChannelEntry
from shared.events import DeliveryFailure, DeliveryState, Tombstone, as_utc
from shared.http.models import Answer

Time = Annotated[datetime, PlainSerializer(as_utc, return_type=str)]
"""RFC 3339, UTC."""


class AttemptAnswer(Answer):
    """One call that could have changed something, and what came of it."""

    number: int
    at: Time
    outcome: str
    code: str | None
    detail: str | None

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """It, as it is shown."""
        return cls(
            number=attempt.number,
            at=attempt.at,
            outcome=attempt.outcome,
            code=attempt.code or None,
            detail=attempt.detail or None,
        )


class DeliveryAnswer(Answer):
    """A delivery with its evidence. What there is not is left out."""

    delivery_id: str
    submission_id: str
    channel: str
    kind: str
    language: str
    revision: int
    state: DeliveryState
    url: str | None = None
    short_link: str
    attempts: tuple[AttemptAnswer, ...]
    updated_at: Time
    due_at: Time | None = None
    failure: DeliveryFailure | None = None
    proof: str | None = None
    retired: Retirement | None = None

    @classmethod
    def of(cls, delivery: Delivery, public_url: str) -> Self:
        """It, as it is shown."""
        return cls(
            delivery_id=delivery.id,
            submission_id=delivery.submission_id,
            channel=delivery.channel,
            kind=delivery.kind,
            language=delivery.language,
            revision=delivery.revision,
            state=delivery.state,
            url=delivery.url,
            short_link=short_link(public_url, delivery.id),
            attempts=tuple(AttemptAnswer.of(each) for each in delivery.attempts),
            updated_at=delivery.since or delivery.planned_at,
            due_at=delivery.due_at,
            failure=delivery.failure,
            proof=delivery.proof,
            retired=delivery.retired,
        )

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]  # noqa: ANN202 - with a return type the schema would not name the fields
        return {name: value for name, value in handler(self).items() if value is not None}


class TakenBack(Answer):
    """Why a submission must not be published any more."""

    kind: Tombstone
    at: Time
    reason: str


class DeliveriesAnswer(Answer):
    """Deliveries that wait for a person, a page of them."""

    items: tuple[DeliveryAnswer, ...]
    next: str | None
    """Give it as `cursor` for what follows; null at the end."""


class PublicationAnswer(DeliveriesAnswer):
    """A submission's deliveries, and whether it was taken back."""

    submission_id: str
    taken_back: TakenBack | None

    @classmethod
    def of(cls, publication: Publication, public_url: str, **more: Any) -> Self:
        """It, as it is shown."""
        tombstone = publication.tombstone
        return cls(
            submission_id=publication.submission_id,
            taken_back=None
            if tombstone is None
            else TakenBack(kind=tombstone.kind, at=tombstone.at, reason=tombstone.reason),
            items=tuple(DeliveryAnswer.of(each, public_url) for each in publication.deliveries),
            next=None,
            **more,
        )


class RecallAnswer(PublicationAnswer):
    """How far a recall is."""

    state: Literal["recalled"] = "recalled"


class HealthAnswer(Answer):
    """Whether a channel can be used; `ok` is null until it was asked."""

    ok: bool | None
    detail: str
    facts: Mapping[str, str]
    checked_at: Time | None


class BudgetAnswer(Answer):
    """How often a channel may be called, and until when it is not."""

    rate_per_second: float | None
    paused_until: Time | None
    reason: str | None


class ChannelAnswer(Answer):
    """A channel with its address, health and budget."""

    id: str
    kind: str
    url: str | None
    languages: tuple[str, ...] | None
    health: HealthAnswer
    budget: BudgetAnswer
    capabilities: Capabilities

    @classmethod
    def of(
        cls,
        entry: ChannelEntry,
        capabilities: Capabilities,
        account: Account,
        finding: ChannelFinding | None,
        public_url: str,
    ) -> Self:
        """It, as it is shown."""
        return cls(
            id=entry.id,
            kind=entry.kind,
            url=spec_of(entry).public_url(entry, public_url),
            languages=entry.languages,
            health=HealthAnswer(
                ok=finding.health.ok if finding else None,
                detail=finding.health.detail if finding else "not asked yet",
                facts=dict(finding.health.facts) if finding else {},
                checked_at=finding.at if finding else None,
            ),
            budget=BudgetAnswer(
                rate_per_second=capabilities.rate_per_second,
                paused_until=account.paused_until,
                reason=account.reason or None,
            ),
            capabilities=capabilities,
        )


class ChannelsAnswer(Answer):
    """The campaign's channels."""

    items: Sequence[ChannelAnswer]
    next: str | None = None
