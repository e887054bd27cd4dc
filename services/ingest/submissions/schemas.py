"""The bodies and answers of ingest's API. Unknown fields are refused; texts and codes are judged by `intake`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, PlainSerializer, StrictBool

from services.ingest.status.rules import DecisionFact, DeliveryFact, Progress, State, recall_reason, state_of
from services.ingest.submissions.store import Submission
from services.ingest.validation.rules import Attachment, Draft
from shared.events import AiUse, Attribution, Consent, DeliveryState, Verdict, as_utc
from shared.http.models import Answer, StrictBody

Time = Annotated[datetime, PlainSerializer(as_utc, return_type=str)]
"""RFC 3339, UTC."""


class MediaBody(StrictBody):
    """An upload and its alternative text, in the submission's language."""

    upload_id: Annotated[str, Field(min_length=1, max_length=100)]
    alt: str = ""


class AttributionBody(StrictBody):
    """How to credit the author. A `name` without text is the one given at registration."""

    mode: Literal["name", "pseudonym", "anonymous"] = "anonymous"
    text: str | None = None


class ConsentBody(StrictBody):
    """What the author declares."""

    terms_version: str
    people_shown: Literal["none", "adults_agreed", "minors_guardian_agreed"]
    rights: Literal["own", "licensed", "permission"]


class AiBody(StrictBody):
    """Whether a machine made or edited the material."""

    made: StrictBool = False
    edited: StrictBool = False


class SubmissionBody(StrictBody):
    """A submission, or a revision of one."""

    title: str
    body: str
    language: str
    country: str
    section: str | None = None
    hashtags: Annotated[list[str], Field(max_length=200)] = Field(default_factory=list)
    media: Annotated[list[MediaBody | str], Field(max_length=200)] = Field(default_factory=list)
    """Bare upload ids are accepted too."""
    attribution: AttributionBody = AttributionBody()
    consent: ConsentBody
    ai: AiBody = AiBody()

    def draft(self) -> Draft:
        """The same for `intake.examine`."""
        return Draft(
            title=self.title,
            body=self.body,
            language=self.language,
            country=self.country,
            section=self.section,
            hashtags=tuple(self.hashtags),
            attachments=tuple(
                Attachment(each) if isinstance(each, str) else Attachment(each.upload_id, each.alt)
                for each in self.media
            ),
            attribution=Attribution(mode=self.attribution.mode, text=self.attribution.text),
            consent=Consent(**self.consent.model_dump()),
            ai=AiUse(made=self.ai.made, edited=self.ai.edited),
        )


class WithdrawalBody(StrictBody):
    """Why, if the author wishes to say."""

    reason: Annotated[str, Field(max_length=2000)] | None = None


class ReceiptAnswer(Answer):
    """Proof that a submission is stored."""

    submission_id: str
    receipt: str
    revision: int
    status_url: str
    """A page for its author. Programs ask `GET /v1/submissions/{id}`."""


class WithdrawalAnswer(Answer):
    """Proof that a withdrawal is stored."""

    submission_id: str
    receipt: str
    state: Literal["withdrawn"] = "withdrawn"
    status_url: str
    """A page for its author. Programs ask `GET /v1/submissions/{id}`."""


class DecisionAnswer(Answer):
    """What moderation decided."""

    verdict: Verdict
    reasons: tuple[str, ...]
    message: str | None
    decided_at: Time


class LedgerDelivery(Answer):
    """Where one delivery stands."""

    delivery_id: str
    channel: str
    kind: str
    language: str
    revision: int
    state: DeliveryState
    url: str | None = None
    updated_at: Time


class FigureAnswer(Answer):
    """A figure, where it comes from, and of when it is."""

    value: int
    source: str
    as_of: Time


class LedgerAnswer(Answer):
    """What has become of a submission."""

    submission_id: str
    receipt: str
    revision: int
    state: State
    title: str
    language: str
    country: str
    accepted_at: Time
    decision: DecisionAnswer | None = None
    published_title: str | None = None
    published_text: str | None = None
    recall_reason: str | None = None
    """Why the campaign took it back."""
    deliveries: tuple[LedgerDelivery, ...] = ()
    reach: Mapping[str, FigureAnswer] = Field(default_factory=dict)

    @classmethod
    def of(cls, submission: Submission, progress: Progress) -> Self:
        """The ledger of a submission."""
        latest, decision = submission.latest, progress.decision
        if decision is not None and decision.revision != latest.number:
            decision = None
        totals = progress.reach.totals if progress.reach else {}
        return cls(
            submission_id=submission.submission_id,
            receipt=submission.receipt,
            revision=latest.number,
            state=state_of(latest.number, progress, withdrawn=submission.withdrawn),
            title=latest.manuscript.draft.title,
            language=latest.manuscript.draft.language,
            country=latest.manuscript.draft.country,
            accepted_at=submission.accepted_at,
            decision=_decision(decision) if decision else None,
            published_title=decision.title if decision else None,
            published_text=decision.body if decision else None,
            recall_reason=recall_reason(progress),
            deliveries=tuple(_delivery(each) for each in progress.deliveries),
            reach={metric: FigureAnswer(**figure.model_dump()) for metric, figure in totals.items()},
        )


class LedgersAnswer(Answer):
    """A page of one's submissions, newest first."""

    items: tuple[LedgerAnswer, ...]
    next: str | None = None
    """Where the next page begins; nothing when this is the last."""


def _decision(fact: DecisionFact) -> DecisionAnswer:
    return DecisionAnswer(
        verdict=fact.verdict, reasons=fact.reasons, message=fact.message, decided_at=fact.at
    )


def _delivery(fact: DeliveryFact) -> LedgerDelivery:
    return LedgerDelivery(
        delivery_id=fact.delivery_id,
        channel=fact.channel,
        kind=fact.kind,
        language=fact.language,
        revision=fact.revision,
        state=fact.state,
        url=fact.url,
        updated_at=fact.at,
    )
