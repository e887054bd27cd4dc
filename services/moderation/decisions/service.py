"""Decisions in the store: the ruling, its audit entry and its events are one write of one document."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid5

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.moderation.cases import audit_trail as chain
from services.moderation.cases.audit_trail import DECIDED, statement_of
from services.moderation.cases.model import Case, Record, record_document, signals_documents, standing_fields
from services.moderation.cases.queue_positions import Stage
from services.moderation.cases.rules import (
    OPEN,
    Decision,
    DecisionRefused,
    Outcome,
    Standing,
    Verdict,
    decide,
    digest,
    end_of,
)
from services.moderation.cases.store import Cases
from services.moderation.queue.claims import ClaimLost, case_id_of
from services.moderation.queue.reader import ReviewerScope
from services.moderation.screening.rules import Policy, Signal, Wording, judge, read
from services.moderation.screening.service import Scanner
from shared.bus.outbox import appended, entry, merge
from shared.events import CASE_CHANGED, MODERATION_DECIDED, ModerationDecided, Snapshot, derived_id
from shared.identity.signing import sign
from shared.identity.statements import sealed
from shared.observability.telemetry import continued
from shared.retention.model import marked, unmarked
from shared.storage.clock import DatabaseClock
from shared.storage.compare_and_set import Race
from shared.storage.document import Document

DECISIONS: Final = UUID("6f1d6a1e-3d0f-5c0e-9f0a-52c1b8a5a001")
"""The namespace of decision ids, which are made from the claim's token: one claim, one decision."""
ACTIONS: Final[Mapping[Verdict, str]] = {
    "approve": "approved",
    "reject": "rejected",
    "request_changes": "changes_requested",
    "escalate": "escalated",
}


@dataclass(frozen=True, slots=True)
class Decided:
    """The answer to a decision."""

    decision_id: str
    state: str
    case: Case
    again: bool = False
    """It had been made before."""


class Decisions:
    """Carries decisions out."""

    def __init__(
        self,
        cases: Cases,
        clock: DatabaseClock,
        policy: Policy,
        key: Ed25519PrivateKey,
        scanner: Scanner | None = None,
    ) -> None:
        self._cases, self._clock, self._policy, self._key = cases, clock, policy, key
        self._scanner = scanner or Scanner(policy)

    async def decide(
        self, token: str, decision: Decision, reader: ReviewerScope, *, fingerprint: str
    ) -> Decided:
        """Decide on the claimed case. Raises `ClaimLost`, `DecisionRefused`; the same again gets the same answer."""
        hashed = hashlib.sha256(token.encode()).hexdigest()
        race = Race("this case")
        while True:
            case = await self._cases.get(case_id_of(token))
            if case is None:
                raise ClaimLost
            earlier = next((each for each in case.decisions if each.token == hashed), None)
            if earlier is not None:
                if earlier.fingerprint == fingerprint and earlier.by == reader.person_id:
                    return Decided(earlier.decision_id, earlier.state, case, again=True)
                raise DecisionRefused(
                    "already_decided", f"You decided on this already: it is {case.standing.state}."
                )
            now = await self._clock.now()
            self._held(case, token, reader, now)
            outcome, signals = await self._scanner.run(partial(self._outcome, case, decision, reader, now))
            record = self._record(case, decision, outcome, reader.person_id, hashed, fingerprint, now)
            seen = replace(case, signals=signals)
            if (after := await self._write(seen, token, decision, outcome, record, now)) is not None:
                return Decided(record.decision_id, record.state, after)
            await race.lost()

    def _held(self, case: Case, token: str, reader: ReviewerScope, now: datetime) -> None:
        if case.standing.state not in OPEN:
            raise DecisionRefused("already_decided", f"This is {case.standing.state} already; load it again.")
        lease = case.held_by(now)
        if lease is None or lease.token != token or lease.person_id != reader.person_id:
            raise ClaimLost

    def _outcome(
        self, case: Case, decision: Decision, reader: ReviewerScope, now: datetime
    ) -> tuple[Outcome, tuple[Signal, ...]]:
        outcome = decide(
            case.standing,
            decision,
            sent=case.sent,
            actor=reader.person_id,
            editor=reader.editor,
            now=now,
            policy=self._policy,
            country=case.country,
        )
        for language in (case.standing.content.language, outcome.content.language):
            if not reader.sees(case.country, language, case.section):
                raise DecisionRefused(
                    "out_of_scope",
                    f"{language} in {case.country} lies outside your languages, countries or sections.",
                    "edits.language",
                )
        return outcome, case.signals if decision.edits is None else self._seen_again(case, outcome)

    def _record(
        self,
        case: Case,
        decision: Decision,
        outcome: Outcome,
        actor: str,
        token: str,
        fingerprint: str,
        now: datetime,
    ) -> Record:
        return Record(
            decision_id=str(uuid5(DECISIONS, token)),
            token=token,
            fingerprint=fingerprint,
            verdict=decision.verdict,
            state=outcome.state,
            by=actor,
            at=now,
            revision=case.revision,
            reasons=decision.reasons,
            note=decision.note,
            classes=outcome.classes,
        )

    async def _write(
        self, case: Case, token: str, decision: Decision, outcome: Outcome, record: Record, now: datetime
    ) -> Case | None:
        """The one write; the case as it is afterwards, or nothing when somebody changed it meanwhile."""
        standing = Standing(
            state=outcome.state,
            author_id=case.standing.author_id,
            content=outcome.content,
            plan=outcome.plan,
            classes=outcome.classes,
            approvals=outcome.approvals,
            escalated=outcome.escalated,
        )
        audit = _entry(case, decision, outcome, record, now)
        record = replace(
            record, signature=sealed(DECIDED, statement_of(audit.document()), self._key).document()
        )
        # What is decided goes out first: a channel waits for it, and for the queue's news nobody does.
        version = case.version + (2 if outcome.final else 1)
        told = replace(case, standing=standing, version=version)
        changed = told.changed(event_id=derived_id(UUID(record.decision_id), "case_changed"), at=now)
        trace = continued(f"case {outcome.state}", case.trace)
        entries = [entry(CASE_CHANGED, changed, trace)]
        if outcome.final:
            decided = self._event(case, decision, outcome, record, case.version + 1)
            entries.insert(0, entry(MODERATION_DECIDED, decided, trace))
        fields: Document = {
            **standing_fields(standing),
            "signals": signals_documents(case.signals),
            "risk": judge(case.signals, self._policy, outcome.classes).risk,
            "version": version,
            "lease": None,
            "unsealed": chain.mark_of(case.id),
            **(await self._place(case, outcome, now)),
            **marked(end := end_of(outcome.state, now)),
        }
        update = merge(
            {"$set": fields, **({} if end else {"$unset": unmarked()})},
            {"$push": {"audit": audit.document(), "decisions": record_document(record)}},
            appended(*entries),
        )
        also = {"lease.token": token, "lease.until": {"$gt": now}}
        return told if await self._cases.change(case, update, **also) else None

    def _seen_again(self, case: Case, outcome: Outcome) -> tuple[Signal, ...]:
        content = outcome.content
        alts = tuple(media.alt for media in content.media)
        kept = tuple(each for each in case.signals if not each.field)
        wording = Wording(content.language, content.title, content.body, alts, case.country)
        return (*kept, *read(wording, self._policy))

    async def _place(self, case: Case, outcome: Outcome, now: datetime) -> Document:
        """Where it goes from here: to the end of another lane, to the decided ones, or nowhere else."""
        if outcome.final:
            return await self._cases.decided_place(now)
        stage: Stage = "escalated" if outcome.escalated else "second"
        if stage == case.stage and outcome.content.language == case.standing.content.language:
            return {}
        return await self._cases.books.place(stage, outcome.content.language, case.country, now)

    def _event(
        self, case: Case, decision: Decision, outcome: Outcome, record: Record, version: int
    ) -> ModerationDecided:
        event = ModerationDecided(
            event_id=derived_id(UUID(record.decision_id), "decided"),
            occurred_at=record.at,
            subject_id=case.id,
            version=version,
            revision=case.revision,
            decision_id=UUID(record.decision_id),
            verdict="approve" if decision.verdict == "escalate" else decision.verdict,
            reasons=decision.reasons,
            message=decision.note,
            author_id=case.standing.author_id,
            snapshot=_snapshot(case, outcome) if outcome.state == "approved" else None,
            approvals=outcome.agreed,
            classes=outcome.classes,
        )
        return sign(event, self._key)


def _snapshot(case: Case, outcome: Outcome) -> Snapshot:
    approved = {
        field.name: getattr(part, field.name)
        for part in (outcome.content, outcome.plan)
        for field in fields(part)
    }
    return Snapshot(
        submission_id=case.id,
        revision=case.revision,
        country=case.country,
        section=case.section,
        attribution=case.attribution,
        ai=case.ai,
        **approved,
    )


def _entry(
    case: Case, decision: Decision, outcome: Outcome, record: Record, now: datetime
) -> chain.AuditEntry:
    return chain.append(
        case.last,
        case=case.id,
        at=now,
        actor=record.by,
        action=ACTIONS[decision.verdict],
        content=digest(outcome.content, outcome.plan),
        details={
            "decision_id": record.decision_id,
            "revision": case.revision,
            "state": outcome.state,
            "reasons": list(decision.reasons),
            "classes": list(outcome.classes),
            "note": chain.digest_of(decision.note),
            "edited": decision.edits is not None,
        },
    )


def fingerprint_of(request: Mapping[str, Any]) -> str:
    """What makes two requests the same."""
    return hashlib.sha256(rfc8785.dumps(dict(request))).hexdigest()
