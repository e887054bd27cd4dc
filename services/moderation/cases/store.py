"""Cases in the store: one document per submission, changed by compare-and-set alone.

Every method is one write of one document, which carries the audit entry, the applied event's id and the outgoing
events with it. Applying the same event again, or an older one later, changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from services.moderation.cases import audit_trail as chain
from services.moderation.cases.model import Case, case_of, signals_documents, standing_fields
from services.moderation.cases.queue_positions import DECIDED, LaneBook, Stage
from services.moderation.cases.rules import ENDED, Content, Plan, Standing, digest
from services.moderation.screening.rules import Finding
from shared.bus.outbox import appended, embedded, entry, merge
from shared.events import (
    CASE_CHANGED,
    MODERATION_RECALLED,
    CaseState,
    DeliveryChanged,
    ModerationRecalled,
    SubmissionReceived,
    SubmissionWithdrawn,
    derived_id,
)
from shared.failures import Unavailable
from shared.observability.telemetry import continued, current_traceparent
from shared.storage.document import Document
from shared.storage.mongo import Collection, DuplicateKeyError

ATTEMPTS: Final = 12
"""How often a change is tried against a document that others change at the same time."""
SYSTEM: Final = "system"


@dataclass(frozen=True, slots=True)
class Books:
    """The two ways into the queue: by language, and by language and country."""

    languages: LaneBook
    countries: LaneBook

    async def place(self, stage: Stage, language: str, country: str, now: datetime) -> Document:
        """The stored fields of a new place at the end of the queue."""
        lane, place = await self.languages.take(stage, language, None, now=now)
        country_lane, country_place = await self.countries.take(stage, language, country, now=now)
        return {
            "stage": stage,
            "lane": lane,
            "place": place,
            "country_lane": country_lane,
            "country_place": country_place,
        }


Nudge = Callable[[Collection, str], None]


class NotRecallable(Exception):
    """There is nothing to take back. The text is the state."""


class Cases:
    """The cases."""

    def __init__(self, collection: Collection, books: Books, nudge: Nudge) -> None:
        self.collection, self.books, self._nudge = collection, books, nudge

    async def prepare(self) -> None:
        """Make the indexes."""
        create = self.collection.create_index
        await create([("lane", 1), ("place", 1)], name="lane")
        await create([("country_lane", 1), ("country_place", 1)], name="country_lane")
        await create([("lease.person_id", 1)], name="holder", sparse=True)
        await create([("media_ids", 1)], name="media", sparse=True)
        await create([("unsealed", 1)], name="unsealed", sparse=True)
        await create([("decided_lane", 1), ("decided_place", 1)], name="decided", sparse=True)

    def nudge(self, case_id: str) -> None:
        """Have what the case tells published now."""
        self._nudge(self.collection, case_id)

    async def document(self, case_id: str) -> Document | None:
        """The stored document, if there is one with content."""
        return await self.collection.find_one({"_id": case_id, "revision": {"$gte": 1}})

    async def get(self, case_id: str) -> Case | None:
        """The case, if there is one."""
        document = await self.document(case_id)
        return None if document is None else case_of(document)

    async def with_media(self, sha256: str) -> list[Case]:
        """The cases that show this photo or video."""
        found = await self.collection.find({"media_ids": sha256}).to_list(None)
        return [case_of(document) for document in found]

    async def decided_place(self, now: datetime) -> Document:
        """The stored fields of the next place among the decided ones, by which the newest are found."""
        lane, place = await self.books.languages.take_decided(now)
        return {"decided_lane": lane, "decided_place": place}

    async def change(self, case: Case, update: Document, **also: Any) -> bool:
        """Write `update` if nobody changed the case since it was read; tell whether it was written."""
        done = await self.collection.update_one({"_id": case.id, "version": case.version, **also}, update)
        if done.matched_count:
            self.nudge(case.id)
        return bool(done.matched_count)

    async def open(self, event: SubmissionReceived, finding: Finding, *, now: datetime) -> None:
        """A submission, or a new revision of it, enters the queue."""
        for _ in range(ATTEMPTS):
            found = await self.collection.find_one({"_id": event.subject_id})
            if found is None:
                if await self._insert(event, finding, now):
                    return
            elif _known(found, event) or await self._revise(found, event, finding, now):
                return
        raise Unavailable("the case, which others keep changing")

    async def _insert(self, event: SubmissionReceived, finding: Finding, now: datetime) -> bool:
        place = await self.books.place("first", event.language, event.country, now)
        fields = _received(event, finding, "screened")
        audit = _received_entry(None, event, fields, now)
        document = {
            "_id": event.subject_id,
            "version": 1,
            "fence": 0,
            "lease": None,
            "decisions": [],
            "deliveries": {},
            **fields,
            **place,
            "audit": [audit.document()],
            "unsealed": True,
            "applied": [str(event.event_id)],
        }
        told = case_of(document).changed(
            event_id=derived_id(event.event_id, "case_changed"), at=now, caused_by=event.event_id
        )
        try:
            await self.collection.insert_one({**document, **embedded(entry(CASE_CHANGED, told))})
        except DuplicateKeyError:
            return False
        self.nudge(event.subject_id)
        return True

    async def _revise(
        self, found: Document, event: SubmissionReceived, finding: Finding, now: datetime
    ) -> bool:
        """A higher revision, or the submission whose withdrawal came before it."""
        withdrawn = found["state"] == "withdrawn"
        fields = _received(event, finding, "withdrawn" if withdrawn else "screened")
        place = {} if withdrawn else await self.books.place("first", event.language, event.country, now)
        last = chain.entry_of(found["audit"][-1])
        audit = _received_entry(last, event, fields, now)
        version = found["version"] + 1
        after = {**found, **fields, "stage": "first", **place, "version": version, "lease": None}
        told = case_of(after).changed(
            event_id=derived_id(event.event_id, "case_changed"), at=now, caused_by=event.event_id
        )
        update = merge(
            {
                "$set": {
                    **fields,
                    "stage": "first",
                    **place,
                    "version": version,
                    "lease": None,
                    "unsealed": True,
                }
            },
            {"$push": {"audit": audit.document(), "applied": str(event.event_id)}},
            appended(entry(CASE_CHANGED, told)),
        )
        filter_ = {"_id": event.subject_id, "version": found["version"]}
        done = await self.collection.update_one(filter_, update)
        if done.matched_count:
            self.nudge(event.subject_id)
        return bool(done.matched_count)

    async def withdraw(self, event: SubmissionWithdrawn, *, now: datetime) -> None:
        """The author took the submission back; it leaves the queue at once, whoever holds it."""
        for _ in range(ATTEMPTS):
            found = await self.collection.find_one({"_id": event.subject_id})
            if found is None:
                if await self._withdraw_unknown(event, now):
                    return
            elif found["state"] == "withdrawn" or await self._end(
                case_of(found), "withdrawn", event.event_id, SYSTEM, event.reason, now
            ):
                return
        raise Unavailable("the case, which others keep changing")

    async def _withdraw_unknown(self, event: SubmissionWithdrawn, now: datetime) -> bool:
        """The withdrawal came before the submission: keep its place, so that the submission never opens."""
        audit = chain.append(None, case=event.subject_id, at=now, actor=SYSTEM, action="withdrawn")
        document: Document = {
            "_id": event.subject_id,
            "version": 1,
            "revision": 0,
            "fence": 0,
            "lease": None,
            "state": "withdrawn",
            "audit": [audit.document()],
            "unsealed": True,
            "applied": [str(event.event_id)],
            "outbox": [],
        }
        try:
            await self.collection.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def _end(
        self, case: Case, state: CaseState, cause: UUID, actor: str, reason: str | None, now: datetime
    ) -> bool:
        standing = replace(case.standing, state=state, escalated=False)
        audit = chain.append(
            case.last,
            case=case.id,
            at=now,
            actor=actor,
            action=state,
            content=digest(standing.content, standing.plan),
            details={"revision": case.revision, "reason": reason},
        )
        told = replace(case, standing=standing, version=case.version + 1).changed(
            event_id=derived_id(cause, "case_changed"), at=now, caused_by=cause
        )
        trace = continued(f"case {state}", case.trace)
        entries = [entry(CASE_CHANGED, told, trace)]
        fields: Document = {"state": state, "escalated": False, "lease": None, "unsealed": True}
        version = case.version + 1
        if state == "recalled":
            version += 1
            recalled = ModerationRecalled(
                event_id=derived_id(cause, "recalled"),
                occurred_at=now,
                subject_id=case.id,
                version=version,
                reason=reason or "",
                by=actor,
            )
            entries.append(entry(MODERATION_RECALLED, recalled, trace))
            fields["recall"] = reason
        update = merge(
            {"$set": {**fields, "version": version}},
            {"$push": {"audit": audit.document(), "applied": str(cause)}},
            appended(*entries),
        )
        return await self.change(case, update)

    async def decided(self, *, before: int | None, limit: int) -> tuple[list[Case], int | None]:
        """The newest decided cases, and the place to go on before."""
        top = await self.books.languages.decided_tail() if before is None else before
        found: list[Document] = []
        while top > 0 and len(found) < limit:
            bottom = max(0, top - limit)
            span = {"decided_lane": DECIDED, "decided_place": {"$gte": bottom, "$lt": top}}
            found += sorted(
                await self.collection.find(span).to_list(None),
                key=lambda each: -int(each["decided_place"]),
            )
            top = bottom
        rest = int(found[limit - 1]["decided_place"]) if len(found) > limit else top
        return [case_of(each) for each in found[:limit]], rest or None

    async def recall(self, case_id: str, *, actor: str, reason: str, now: datetime) -> Case:
        """Take an approval back, everywhere. Raises `KeyError`, and `NotRecallable` for what was not approved."""
        for _ in range(ATTEMPTS):
            case = await self.get(case_id)
            if case is None:
                raise KeyError(case_id)
            if case.standing.state in ENDED:
                return case
            if not any(each.state == "approved" for each in case.decisions):
                raise NotRecallable(case.standing.state)
            if await self._end(case, "recalled", uuid4(), actor, reason, now):
                continue
        raise Unavailable("the case, which others keep changing")

    async def deliver(self, event: DeliveryChanged) -> None:
        """Remember where a submission went. A version below the known one changes nothing."""
        path = f"deliveries.{event.subject_id}"
        await self.collection.update_one(
            {"_id": event.submission_id, f"{path}.version": {"$not": {"$gte": event.version}}},
            {
                "$set": {
                    path: {
                        "channel": event.channel,
                        "language": event.language,
                        "state": event.state,
                        "revision": event.revision,
                        "url": event.url,
                        "version": event.version,
                    }
                }
            },
        )


def _known(found: Document, event: SubmissionReceived) -> bool:
    """Whether the event tells nothing new: applied, overtaken, or too late."""
    ended = bool(found["revision"]) and found["state"] in ENDED
    return ended or found["revision"] >= event.revision or str(event.event_id) in found["applied"]


def _received(event: SubmissionReceived, finding: Finding, state: CaseState) -> Document:
    content = Content(event.title, event.body, event.language, event.hashtags, event.media)
    standing = Standing(state, event.author_id, content, Plan(), finding.classes)
    fields = standing_fields(standing)
    return {
        **fields,
        "sent": fields["content"],
        "revision": event.revision,
        "country": event.country,
        "section": event.section,
        "attribution": event.attribution.model_dump(mode="json"),
        "consent": event.consent.model_dump(mode="json"),
        "ai": event.ai.model_dump(mode="json"),
        "signals": signals_documents(finding.signals),
        "risk": finding.risk,
        "received_at": event.occurred_at,
        "media_ids": [media.sha256 for media in event.media],
        "trace": current_traceparent(),
    }


def _received_entry(
    last: chain.Entry | None, event: SubmissionReceived, fields: Document, now: datetime
) -> chain.Entry:
    content = Content(event.title, event.body, event.language, event.hashtags, event.media)
    return chain.append(
        last,
        case=event.subject_id,
        at=now,
        actor=event.author_id,
        action="received",
        content=digest(content, Plan()),
        details={"revision": event.revision, "classes": fields["classes"], "risk": fields["risk"]},
    )
