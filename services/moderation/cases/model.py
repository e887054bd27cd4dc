"""A case as the service knows it, and how it becomes a document and an event."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from services.moderation.cases import audit_trail as chain
from services.moderation.cases.rules import CaseApproved, Content, Plan, Standing
from services.moderation.screening.rules import Risk, Signal
from shared.events import AiUse, Attribution, CaseChanged, CaseState, Consent
from shared.retention.model import End, end_in
from shared.storage.document import Document

_CONTENT: Final = TypeAdapter(Content)


@dataclass(frozen=True, slots=True)
class CaseLease:
    """A case in somebody's hands."""

    token: str
    person_id: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """A decision that was made, whole."""

    decision_id: str
    token: str
    """SHA-256 of the claim's token."""
    fingerprint: str
    """SHA-256 of the request, so that the same one gets the same answer."""
    verdict: str
    state: str
    by: str
    at: datetime
    revision: int
    reasons: tuple[str, ...] = ()
    note: str | None = None
    classes: tuple[str, ...] = ()
    signature: Mapping[str, str] | None = None
    """Of its entry in the audit trail; none from before decisions were signed there."""


@dataclass(frozen=True, slots=True)
class CaseDelivery:
    """Where a submission went, as far as the publisher told."""

    id: str
    channel: str
    language: str
    state: str
    revision: int
    url: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """One submission in moderation."""

    id: str
    version: int
    revision: int
    country: str
    section: str | None
    sent: Content
    """As the author sent it."""
    standing: Standing
    attribution: Attribution
    consent: Consent
    ai: AiUse
    signals: tuple[Signal, ...]
    risk: Risk
    stage: str
    received_at: datetime
    fence: int = 0
    lease: CaseLease | None = None
    decisions: tuple[Record, ...] = ()
    deliveries: tuple[CaseDelivery, ...] = ()
    audit: tuple[chain.AuditEntry, ...] = ()
    recall: str | None = None
    """Why it was recalled."""
    recall_asked_by: str | None = None
    """Who wants it taken back, where that waits for a second person."""
    trace: str | None = None
    """The W3C `traceparent` of what brought its revision here."""
    end: End | None = None
    """Why its texts are to go, and since when."""
    erased_at: datetime | None = None
    """When its texts were taken away."""

    @property
    def last(self) -> chain.AuditEntry | None:
        """The newest entry of the audit trail."""
        return self.audit[-1] if self.audit else None

    def held_by(self, now: datetime) -> CaseLease | None:
        """The lease that holds it now, if one does."""
        return self.lease if self.lease is not None and self.lease.until > now else None

    @property
    def blank(self) -> "Case":
        """Without what anybody wrote, and without pictures. States, codes, digests and people's ids stay."""
        return replace(
            self,
            sent=_blank(self.sent),
            standing=replace(self.standing, content=_blank(self.standing.content)),
            attribution=Attribution(mode=self.attribution.mode),
            signals=(),
            decisions=tuple(replace(each, note=None) for each in self.decisions),
            recall=None if self.recall is None else "",
        )

    def with_state(self, state: CaseState, version: int) -> "Case":
        """The case in another state, as of another version."""
        return replace(self, standing=replace(self.standing, state=state), version=version)

    def changed(self, *, event_id: UUID, at: datetime, caused_by: UUID | None = None) -> CaseChanged:
        """The event that tells how it stands."""
        return CaseChanged(
            event_id=event_id,
            occurred_at=at,
            subject_id=self.id,
            version=self.version,
            caused_by=caused_by,
            revision=self.revision,
            state=self.standing.state,
            classes=self.standing.classes,
            language=self.standing.content.language,
            country=self.country,
            section=self.section,
        )


def content_document(content: Content) -> Document:
    """Content as it is stored."""
    document: Document = _CONTENT.dump_python(content, mode="json")
    return document


def standing_fields(standing: Standing) -> Document:
    """The stored fields that tell how a case stands."""
    return {
        "state": standing.state,
        "author_id": standing.author_id,
        "content": content_document(standing.content),
        "plan": {
            "channels": None if standing.plan.channels is None else list(standing.plan.channels),
            "publish_at": standing.plan.publish_at,
        },
        "classes": list(standing.classes),
        "approvals": [asdict(each) for each in standing.approvals],
        "escalated": standing.escalated,
    }


def erasable_fields(case: Case) -> Document:
    """The stored fields that hold what people wrote and sent."""
    return {
        "sent": content_document(case.sent),
        "content": content_document(case.standing.content),
        "media_ids": [media.sha256 for media in case.sent.media],
        "attribution": case.attribution.model_dump(mode="json"),
        "signals": signals_documents(case.signals),
        "decisions": [record_document(each) for each in case.decisions],
        "recall": case.recall,
    }


def _blank(content: Content) -> Content:
    return Content("", "", content.language)


def signals_documents(signals: tuple[Signal, ...]) -> list[Document]:
    """Signals as they are stored."""
    return [asdict(signal) for signal in signals]


def record_document(record: Record) -> Document:
    """A decision as it is stored."""
    return {**asdict(record), "reasons": list(record.reasons), "classes": list(record.classes)}


def _content(document: Document) -> Content:
    return _CONTENT.validate_python(document)


def _plan(document: Document) -> Plan:
    channels = document["channels"]
    return Plan(None if channels is None else tuple(channels), document["publish_at"])


def _record(document: Document) -> Record:
    return Record(
        **{**document, "reasons": tuple(document["reasons"]), "classes": tuple(document["classes"])}
    )


def _deliveries(documents: Mapping[str, Document]) -> tuple[CaseDelivery, ...]:
    return tuple(
        CaseDelivery(name, each["channel"], each["language"], each["state"], each["revision"], each["url"])
        for name, each in sorted(documents.items(), key=lambda pair: (pair[1]["channel"], pair[0]))
    )


def case_of(document: Document) -> Case:
    """The case in a stored document."""
    lease = document.get("lease")
    return Case(
        id=document["_id"],
        version=document["version"],
        revision=document["revision"],
        country=document["country"],
        section=document["section"],
        sent=_content(document["sent"]),
        standing=Standing(
            state=document["state"],
            author_id=document["author_id"],
            content=_content(document["content"]),
            plan=_plan(document["plan"]),
            classes=tuple(document["classes"]),
            approvals=tuple(CaseApproved(**each) for each in document["approvals"]),
            escalated=document["escalated"],
        ),
        attribution=Attribution.model_validate(document["attribution"]),
        consent=Consent.model_validate(document["consent"]),
        ai=AiUse.model_validate(document["ai"]),
        signals=tuple(Signal(**each) for each in document["signals"]),
        risk=document["risk"],
        stage=document["stage"],
        received_at=document["received_at"],
        fence=document["fence"],
        lease=CaseLease(**lease) if lease else None,
        decisions=tuple(_record(each) for each in document.get("decisions", ())),
        deliveries=_deliveries(document.get("deliveries", {})),
        audit=tuple(chain.entry_of(each) for each in document.get("audit", ())),
        recall=document.get("recall"),
        recall_asked_by=document.get("recall_asked_by"),
        trace=document.get("trace"),
        end=end_in(document),
        erased_at=document.get("erased_at"),
    )
