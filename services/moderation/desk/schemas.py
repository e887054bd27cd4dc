"""Cases as the API and the pages show them."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, PlainSerializer

from services.moderation.cases.model import Case, CaseLease
from services.moderation.cases.rules import Content, required
from services.moderation.queue.claims import Claim
from services.moderation.queue.reader import QueueEntry
from services.moderation.screening.rules import Level, Policy, Risk, Signal
from shared.events import AiUse, Attribution, CaseState, Consent, Media, as_utc
from shared.http.models import Answer

Time = Annotated[datetime, PlainSerializer(as_utc, return_type=str)]
"""RFC 3339, UTC."""


def handle(person_id: str) -> str:
    """What colleagues call each other here: never a name, the same every time."""
    digits = int.from_bytes(hashlib.sha256(person_id.encode()).digest()[:4], "big")
    letters = "BDFGKLMNPRSTVZ"
    vowels = "aeiou"
    syllables = []
    for _ in range(3):
        digits, consonant = divmod(digits, len(letters))
        digits, vowel = divmod(digits, len(vowels))
        syllables.append(letters[consonant].lower() + vowels[vowel])
    return "".join(syllables).capitalize()


class ReviewedMedia(Media):
    """A photo or video, and where moderators get it."""

    url: str

    @classmethod
    def of(cls, media: Media) -> Self:
        """It, as it is shown."""
        return cls(**media.model_dump(), url=f"/v1/media/{media.sha256}")


class ContentAnswer(Answer):
    """What would be shown to the world."""

    title: str
    body: str
    language: str
    hashtags: tuple[str, ...]
    media: tuple[ReviewedMedia, ...]

    @classmethod
    def of(cls, content: Content, **more: Any) -> Self:
        """It, as it is shown."""
        return cls(
            title=content.title,
            body=content.body,
            language=content.language,
            hashtags=content.hashtags,
            media=tuple(map(ReviewedMedia.of, content.media)),
            **more,
        )


class SignalAnswer(Answer):
    """One thing that the machine noticed."""

    code: str
    level: Level
    field: str | None
    """`title`, `body` or `alt:<n>`; null for the whole."""
    evidence: str | None
    start: int | None
    """Where it begins in the field, in characters."""
    end: int | None
    sensitive: Annotated[str | None, Field(serialization_alias="class")]
    """The class that it puts the submission into."""

    @classmethod
    def of(cls, signal: Signal) -> Self:
        """It, as it is shown."""
        return cls(
            code=signal.code,
            level=signal.level,
            field=signal.field or None,
            evidence=signal.evidence or None,
            start=signal.start,
            end=signal.end,
            sensitive=signal.sensitive,
        )


class ApprovalAnswer(Answer):
    """Who approved the content as it is, and when."""

    by: str
    at: Time


class HolderAnswer(Answer):
    """In whose hands a case is, without a name, and until when."""

    by: str
    mine: bool
    until: Time

    @classmethod
    def of(cls, lease: CaseLease | None, person_id: str) -> Self | None:
        """It, as it is shown; nothing when nobody holds it."""
        if lease is None:
            return None
        return cls(by=handle(lease.person_id), mine=lease.person_id == person_id, until=lease.until)


class ReviewedSubmission(ContentAnswer):
    """A case as the one who decides on it needs it."""

    submission_id: str
    revision: int
    state: CaseState
    stage: str
    country: str
    section: str | None
    attribution: Attribution
    consent: Consent
    ai: AiUse
    author_id: str
    received_at: Time
    classes: tuple[str, ...]
    risk: Risk
    blur: bool
    reviewers: int
    """How many different people must approve it."""
    approvals: tuple[ApprovalAnswer, ...]
    channels: tuple[str, ...] | None
    """Null for all that take its language."""
    publish_at: Time | None
    sent: ContentAnswer | None
    """As the author sent it, where a moderator changed something."""

    @classmethod
    def of_case(cls, case: Case, policy: Policy, **more: Any) -> Self:
        """It, as it is shown."""
        standing = case.standing
        return cls.of(
            standing.content,
            submission_id=case.id,
            revision=case.revision,
            state=standing.state,
            stage=case.stage,
            country=case.country,
            section=case.section,
            attribution=case.attribution,
            consent=case.consent,
            ai=case.ai,
            author_id=standing.author_id,
            received_at=case.received_at,
            classes=standing.classes,
            risk=case.risk,
            blur=policy.blurs(standing.classes),
            reviewers=required(policy, standing.classes, case.sent, standing.content),
            approvals=tuple(
                ApprovalAnswer(by=handle(each.person_id), at=each.at) for each in standing.approvals
            ),
            channels=standing.plan.channels,
            publish_at=standing.plan.publish_at,
            sent=ContentAnswer.of(case.sent) if case.sent != standing.content else None,
            **more,
        )


class ClaimAnswer(Answer):
    """A claim as its holder needs it."""

    claim_token: str
    lease_expires_at: Time
    submission: ReviewedSubmission
    signals: tuple[SignalAnswer, ...]

    @classmethod
    def of(cls, claim: Claim, policy: Policy) -> Self:
        """It, as it is shown."""
        return cls(
            claim_token=claim.lease.token,
            lease_expires_at=claim.lease.until,
            submission=ReviewedSubmission.of_case(claim.case, policy),
            signals=tuple(map(SignalAnswer.of, claim.case.signals)),
        )


class ClaimsAnswer(Answer):
    """What one holds."""

    items: tuple[ClaimAnswer, ...]
    next: str | None = None
    """Always null: one holds no more than fit on a page."""


class RenewalAnswer(Answer):
    """Until when a claim is held now."""

    lease_expires_at: Time


class VerdictAnswer(Answer):
    """A decision, and what state it brought the case into."""

    decision_id: str
    state: str


class CaseStateAnswer(Answer):
    """In which state a case is now."""

    submission_id: str
    state: CaseState


class WaitingAnswer(Answer):
    """A line of the queue."""

    submission_id: str
    revision: int
    title: str
    language: str
    country: str
    section: str | None
    state: str
    stage: str
    risk: str
    classes: tuple[str, ...]
    media: int
    """How many photos and videos it has."""
    received_at: Time
    approvals: int
    reviewers: int
    held: HolderAnswer | None
    yours: bool
    """You are its author."""
    approved_by_you: bool

    @classmethod
    def of(cls, slot: QueueEntry, person_id: str, policy: Policy, now: datetime) -> Self:
        """It, as it is shown to one person."""
        lease = None if slot.lease is None or slot.free(now) else CaseLease(**slot.lease)
        return cls(
            submission_id=slot.id,
            revision=slot.revision,
            title=slot.title,
            language=slot.language,
            country=slot.country,
            section=slot.section,
            state=slot.state,
            stage=slot.stage,
            risk=slot.risk,
            classes=slot.classes,
            media=slot.media,
            received_at=slot.received_at,
            approvals=len(slot.approvers),
            reviewers=slot.reviewers(policy),
            held=HolderAnswer.of(lease, person_id),
            yours=slot.author_id == person_id,
            approved_by_you=person_id in slot.approvers,
        )


class QueueAnswer(Answer):
    """A page of what waits."""

    items: tuple[WaitingAnswer, ...]
    next: str | None
    """Give it as `cursor` for what follows; null at the end."""


class DecidedAnswer(Answer):
    """A decision that was made."""

    decision_id: str
    verdict: str
    state: str
    by: str
    at: Time
    revision: int
    reasons: tuple[str, ...]
    note: str | None
    classes: tuple[str, ...]


class ReviewedDelivery(Answer):
    """Where it went, as far as the publisher told."""

    delivery_id: str
    channel: str
    language: str
    state: str
    revision: int
    url: str | None


class AuditAnswer(Answer):
    """One entry of the audit trail."""

    seq: int
    at: str
    by: str
    action: str
    hash: str


class CaseAnswer(ReviewedSubmission):
    """A case with its whole past."""

    signals: tuple[SignalAnswer, ...]
    held: HolderAnswer | None
    recall_reason: str | None
    decisions: tuple[DecidedAnswer, ...]
    deliveries: tuple[ReviewedDelivery, ...]
    audit: tuple[AuditAnswer, ...]

    @classmethod
    def whole(cls, case: Case, policy: Policy, person_id: str, now: datetime) -> Self:
        """It, as it is shown to one person."""
        return cls.of_case(
            case,
            policy,
            signals=tuple(map(SignalAnswer.of, case.signals)),
            held=HolderAnswer.of(case.held_by(now), person_id),
            recall_reason=case.recall,
            decisions=tuple(
                DecidedAnswer(
                    decision_id=each.decision_id,
                    verdict=each.verdict,
                    state=each.state,
                    by=handle(each.by),
                    at=each.at,
                    revision=each.revision,
                    reasons=each.reasons,
                    note=each.note,
                    classes=each.classes,
                )
                for each in case.decisions
            ),
            deliveries=tuple(
                ReviewedDelivery(
                    delivery_id=each.id,
                    channel=each.channel,
                    language=each.language,
                    state=each.state,
                    revision=each.revision,
                    url=each.url,
                )
                for each in case.deliveries
            ),
            audit=tuple(
                AuditAnswer(seq=each.seq, at=each.at, by=who(each.actor), action=each.action, hash=each.hash)
                for each in case.audit
            ),
        )


class CasesAnswer(Answer):
    """A page of decided cases, the newest first."""

    items: tuple[CaseAnswer, ...]
    next: str | None
    """Give it as `before` for what follows; null at the end."""


class ManyRecallsAnswer(Answer):
    """What came of taking several back, or of keeping them."""

    done: tuple[str, ...]
    waiting: tuple[str, ...]
    """Noted, until a second person recalls them too."""
    refused: Mapping[str, str]
    """The code of each refusal, by submission."""


def who(actor: str) -> str:
    """An actor of the trail as people see it."""
    return actor if actor == "system" else handle(actor)
