"""Cases in the store: one document per submission, changed by compare-and-set alone.

Every method is one write of one document, which carries the audit entry, the applied event's id and the outgoing
events with it. Applying the same event again, or an older one later, changes nothing. Only that a case was opened is not
kept in it: the submission's event stays unacknowledged until that is published, and says it again when it comes again.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from services.moderation.cases import audit_trail as chain
from services.moderation.cases.model import (
    Case,
    case_of,
    erasable_fields,
    signals_documents,
    standing_fields,
)
from services.moderation.cases.queue_positions import DECIDED, Books
from services.moderation.cases.rules import ENDED, OPEN, Content, Plan, Standing, digest, end_of
from services.moderation.screening.rules import ScreeningFinding
from shared.bus.outbox import appended, embedded, entry, merge
from shared.bus.told_again import tell_again
from shared.events import (
    CASE_CHANGED,
    MODERATION_RECALLED,
    CaseChanged,
    CaseState,
    DeliveryChanged,
    ModerationRecalled,
    SubmissionReceived,
    SubmissionWithdrawn,
    derived_id,
)
from shared.observability.telemetry import continued, current_traceparent
from shared.retention.model import marked, unmarked
from shared.storage.compare_and_set import Race
from shared.storage.document import Document
from shared.storage.mongo import DUPLICATE_KEY, BulkWriteError, Collection, DuplicateKeyError

SYSTEM: Final = "system"
RECEIVED: Final = "received"
WINDOW: Final = 64
"""Places among the decided ones that are read together."""
MOST_WINDOWS: Final = 32
"""Windows that one request looks into, however few cases it finds in them."""


Nudge = Callable[[Collection, str], None]
Publish = Callable[[Sequence[Document]], Awaitable[None]]
"""Publishes entries of an outbox that no document keeps; raises `Unavailable`."""
RECALLS: Final = UUID("c2a7f0d4-52f1-5b8e-9d63-0e8a41b7f213")
"""Namespace of the ids under which recalls are told again."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A submission that came in, with what was found in it, and the trace it belongs to."""

    event: SubmissionReceived
    finding: ScreeningFinding
    trace: str | None = None


class NotReopenable(Exception):
    """It is not approved. The text is the state."""


class NoRecallAsked(Exception):
    """Nobody asked to take it back, or it is taken back already. The text is the state."""


class NotRecallable(Exception):
    """There is nothing to take back. The text is the state."""


class Cases:
    """The cases."""

    def __init__(self, collection: Collection, books: Books, nudge: Nudge, publish: Publish) -> None:
        self.collection, self.books, self._nudge, self._publish = collection, books, nudge, publish

    async def prepare(self) -> None:
        """Make the indexes."""
        create = self.collection.create_index
        await create([("lane", 1), ("place", 1)], name="lane")
        await create([("country_lane", 1), ("country_place", 1)], name="country_lane")
        await create([("lease.person_id", 1)], name="holder", sparse=True)
        await create([("media_ids", 1)], name="media", sparse=True)
        await create([("unsealed", 1)], name="unsealed", sparse=True)
        await create([("recall_asked_by", 1)], name="recall_asked", sparse=True)
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

    async def open_all(self, arrivals: Sequence[Arrival], *, now: datetime) -> None:
        """Submissions enter the queue: the new ones in one write, all others one by one.

        A failure may leave some of them in. Done again, they are known by their ids and change nothing.
        """
        ids = list({each.event.subject_id for each in arrivals})
        there = await self.collection.find({"_id": {"$in": ids}}, {"_id": 1}).to_list(None)
        new: dict[str, Arrival] = {}
        known = {each["_id"] for each in there}
        for each in arrivals:
            if each.event.subject_id not in known:
                new.setdefault(each.event.subject_id, each)
        entered = set(new) - {each.event.subject_id for each in await self._insert_all([*new.values()], now)}
        for each in arrivals:
            case_id = each.event.subject_id
            if case_id not in entered or new[case_id] is not each:
                await self.open(each.event, each.finding, now=now, trace=each.trace)

    async def _insert_all(self, arrivals: Sequence[Arrival], now: datetime) -> list[Arrival]:
        """Insert them; those that somebody else has inserted meanwhile."""
        if not arrivals:
            return []
        wanted = [(each.event.language, each.event.country) for each in arrivals]
        places = await self.books.places("first", wanted, now)
        documents = [_new(each, place, now) for each, place in zip(arrivals, places, strict=True)]
        refused: set[int] = set()
        try:
            await self.collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            mistakes = (error.details or {}).get("writeErrors", [])
            if {each["code"] for each in mistakes} != {DUPLICATE_KEY}:
                raise
            refused = {each["index"] for each in mistakes}
        opened = [
            _opened(each.event, now, each.finding.classes, each.trace)
            for number, each in enumerate(arrivals)
            if number not in refused
        ]
        await self._publish(opened)
        return [each for number, each in enumerate(arrivals) if number in refused]

    async def open(
        self, event: SubmissionReceived, finding: ScreeningFinding, *, now: datetime, trace: str | None = None
    ) -> None:
        """A submission, or a new revision of it, enters the queue. It belongs to the current trace unless told."""
        arrival = Arrival(event, finding, trace or current_traceparent())
        race = Race("this case")
        while True:
            found = await self.collection.find_one({"_id": event.subject_id})
            if found is None:
                if not await self._insert_all([arrival], now):
                    return
            elif _opened_by(found, event):
                first = chain.entry_of(found["audit"][0])
                at, classes = datetime.fromisoformat(first.at), first.details["classes"]
                await self._publish([_opened(event, at, classes, arrival.trace)])
                return
            elif _known(found, event) or await self._revise(found, arrival, now):
                return
            await race.lost()

    async def _revise(self, found: Document, arrival: Arrival, now: datetime) -> bool:
        """A higher revision, or the submission whose withdrawal came before it."""
        event = arrival.event
        withdrawn = found["state"] == "withdrawn"
        fields = _received(arrival, "withdrawn" if withdrawn else "screened")
        end = end_of("withdrawn", now) if withdrawn else None
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
                    "unsealed": chain.mark_of(event.subject_id),
                    **marked(end),
                },
                "$unset": {"erased_at": "", **({} if end else unmarked())},
            },
            {"$push": {"audit": audit.document(), "applied": str(event.event_id)}},
            appended(entry(CASE_CHANGED, told, arrival.trace)),
        )
        filter_ = {"_id": event.subject_id, "version": found["version"]}
        done = await self.collection.update_one(filter_, update)
        if done.matched_count:
            self.nudge(event.subject_id)
        return bool(done.matched_count)

    async def withdraw(self, event: SubmissionWithdrawn, *, now: datetime) -> None:
        """The author took the submission back; it leaves the queue at once, whoever holds it."""
        race = Race("this case")
        while True:
            found = await self.collection.find_one({"_id": event.subject_id})
            if found is None:
                if await self._withdraw_unknown(event, now):
                    return
            elif found["state"] == "withdrawn" or await self._end(
                case_of(found), "withdrawn", event.event_id, SYSTEM, event.reason, now
            ):
                return
            await race.lost()

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
            "unsealed": chain.mark_of(event.subject_id),
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
            details={"revision": case.revision, "reason": chain.digest_of(reason)},
        )
        told = replace(case, standing=standing, version=case.version + 1).changed(
            event_id=derived_id(cause, "case_changed"), at=now, caused_by=cause
        )
        trace = continued(f"case {state}", case.trace)
        entries = [entry(CASE_CHANGED, told, trace)]
        fields: Document = {
            "state": state,
            "escalated": False,
            "lease": None,
            "unsealed": chain.mark_of(case.id),
            **marked(end_of(state, now)),
        }
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
            {"$set": {**fields, "version": version}, "$unset": {"recall_asked_by": ""}},
            {"$push": {"audit": audit.document(), "applied": str(cause)}},
            appended(*entries),
        )
        return await self.change(case, update)

    async def decided(self, *, before: int | None, limit: int) -> tuple[list[Case], int | None]:
        """The newest decided cases, and the place to go on before; a page may be short, or empty, before the last."""
        tail = await self.books.languages.decided_tail()
        top = tail if before is None else max(0, min(before, tail))
        found: list[Document] = []
        for _ in range(MOST_WINDOWS):
            if top == 0 or len(found) >= limit:
                break
            bottom = max(0, top - WINDOW)
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
        race = Race("this case")
        while True:
            case = await self.get(case_id)
            if case is None:
                raise KeyError(case_id)
            if case.standing.state in ENDED:
                return case
            if not any(each.state == "approved" for each in case.decisions):
                raise NotRecallable(case.standing.state)
            if await self._end(case, "recalled", uuid4(), actor, reason, now):
                continue
            await race.lost()

    async def tell_again(self, marks: Collection) -> None:
        """Recalls that an earlier version told unsigned."""
        await tell_again(marks, "recalls told signed", self.collection, {"state": "recalled"}, _recall_in)

    async def reopen(self, case_id: str, *, actor: str, reason: str, now: datetime) -> Case:
        """Let an approved case wait for people again, so that what is published can be corrected.

        Raises `KeyError`, and `NotReopenable` for what is not approved. What waits already stays as it is.
        """
        race = Race("this case")
        while True:
            case = await self.get(case_id)
            if case is None:
                raise KeyError(case_id)
            if case.standing.state in OPEN:
                return case
            if case.standing.state != "approved":
                raise NotReopenable(case.standing.state)
            standing = replace(case.standing, state="screened", approvals=(), escalated=False)
            told = replace(case, standing=standing, version=case.version + 1)
            changed = told.changed(event_id=uuid4(), at=now)
            trace = continued("case reopened", case.trace)
            place = await self.books.place("first", standing.content.language, case.country, now)
            update = merge(
                {
                    "$set": {
                        **standing_fields(standing),
                        **place,
                        "version": told.version,
                        "lease": None,
                        "unsealed": chain.mark_of(case.id),
                    },
                    "$unset": {"decided_lane": "", "decided_place": ""},
                },
                {"$push": {"audit": _noted(told, "reopened", actor, reason, now).document()}},
                appended(entry(CASE_CHANGED, changed, trace)),
            )
            if await self.change(case, update):
                return told
            await race.lost()

    async def erase(self, case: Case, now: datetime) -> bool:
        """Take away all that anybody wrote of `case`, if nobody changed it since it was read and all is told; what was done.

        The trail gets an entry for it. Its earlier entries, and the approvals, keep the digests of what stood here.
        """
        after = case.blank
        if after == case:
            gone = {"_id": case.id, "version": case.version}
            done = await self.collection.update_one(gone, {"$unset": unmarked()})
            return bool(done.matched_count)
        audit = chain.append(
            case.last,
            case=case.id,
            at=now,
            actor=SYSTEM,
            action=chain.ERASED,
            content=digest(after.standing.content, after.standing.plan),
            details={"revision": case.revision},
        )
        update: Document = {
            "$set": {
                **erasable_fields(after),
                "version": case.version + 1,
                "erased_at": now,
                "unsealed": chain.mark_of(case.id),
            },
            "$unset": unmarked(),
            "$push": {"audit": audit.document()},
        }
        return await self.change(case, update, **{"outbox.0": {"$exists": False}})

    async def ask_recall(self, case: Case, *, actor: str, reason: str, now: datetime) -> None:
        """Note that somebody wants it taken back, which waits for a second person. Asked again, nothing changes."""
        race = Race("this case")
        while True:
            if case.recall_asked_by is not None or case.standing.state in ENDED:
                return
            update: Document = {
                "$set": {
                    "recall_asked_by": actor,
                    "version": case.version + 1,
                    "unsealed": chain.mark_of(case.id),
                },
                "$push": {"audit": _noted(case, "recall_asked", actor, reason, now).document()},
            }
            if await self.change(case, update) or (again := await self.get(case.id)) is None:
                return
            case = again
            await race.lost()

    async def keep_after_all(self, case_id: str, *, actor: str, reason: str, now: datetime) -> Case:
        """Undo what `ask_recall` noted, before a second person recalled it. Raises `KeyError` and `NoRecallAsked`."""
        race = Race("this case")
        while True:
            case = await self.get(case_id)
            if case is None:
                raise KeyError(case_id)
            if case.recall_asked_by is None or case.standing.state in ENDED:
                raise NoRecallAsked(case.standing.state)
            update: Document = {
                "$set": {"version": case.version + 1, "unsealed": chain.mark_of(case.id)},
                "$unset": {"recall_asked_by": ""},
                "$push": {"audit": _noted(case, "recall_undone", actor, reason, now).document()},
            }
            if await self.change(case, update):
                return replace(case, recall_asked_by=None, version=case.version + 1)
            await race.lost()

    async def recalls_asked(self, limit: int) -> list[Case]:
        """Cases that somebody wants taken back, which wait for a second person; as many as `limit` at most."""
        waiting = {"recall_asked_by": {"$exists": True}, "state": {"$nin": sorted(ENDED)}}
        found = await self.collection.find(waiting).limit(limit).to_list(limit)
        return [case_of(each) for each in found]

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


def _noted(case: Case, action: str, actor: str, reason: str, now: datetime) -> chain.AuditEntry:
    return chain.append(
        case.last,
        case=case.id,
        at=now,
        actor=actor,
        action=action,
        content=digest(case.standing.content, case.standing.plan),
        details={"revision": case.revision, "reason": chain.digest_of(reason)},
    )


def _known(found: Document, event: SubmissionReceived) -> bool:
    """Whether the event tells nothing new: applied, overtaken, or too late."""
    ended = bool(found["revision"]) and found["state"] in ENDED
    return ended or found["revision"] >= event.revision or str(event.event_id) in found["applied"]


def _new(arrival: Arrival, place: Document, now: datetime) -> Document:
    """The document of a case that begins."""
    event, fields = arrival.event, _received(arrival, "screened")
    return {
        "_id": event.subject_id,
        "version": 1,
        "fence": 0,
        "lease": None,
        "decisions": [],
        "deliveries": {},
        **fields,
        **place,
        "audit": [_received_entry(None, event, fields, now).document()],
        "unsealed": chain.mark_of(event.subject_id),
        "applied": [str(event.event_id)],
        **embedded(),
    }


def _opened_by(found: Document, event: SubmissionReceived) -> bool:
    """Whether the case began with this very event."""
    return bool(found["applied"][0] == str(event.event_id) and found["audit"][0]["action"] == RECEIVED)


def _opened(event: SubmissionReceived, at: datetime, classes: Sequence[str], trace: str | None) -> Document:
    """What is published of a case that begins; the same whenever its event comes again."""
    told = CaseChanged(
        event_id=derived_id(event.event_id, "case_changed"),
        occurred_at=at,
        subject_id=event.subject_id,
        version=1,
        caused_by=event.event_id,
        revision=event.revision,
        state="screened",
        classes=tuple(classes),
        language=event.language,
        country=event.country,
        section=event.section,
    )
    return entry(CASE_CHANGED, told, trace)


def _received(arrival: Arrival, state: CaseState) -> Document:
    event, finding = arrival.event, arrival.finding
    content = Content.of(event)
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
        "trace": arrival.trace,
    }


def _received_entry(
    last: chain.AuditEntry | None, event: SubmissionReceived, fields: Document, now: datetime
) -> chain.AuditEntry:
    content = Content.of(event)
    return chain.append(
        last,
        case=event.subject_id,
        at=now,
        actor=event.author_id,
        action=RECEIVED,
        content=digest(content, Plan()),
        details={"revision": event.revision, "classes": fields["classes"], "risk": fields["risk"]},
    )


def _recall_in(document: Document) -> Document:
    """As the audit trail has it."""
    last = next(each for each in reversed(document["audit"]) if each["action"] == "recalled")
    event = ModerationRecalled(
        event_id=uuid5(RECALLS, document["_id"]),
        occurred_at=datetime.fromisoformat(last["at"]),
        subject_id=document["_id"],
        version=document["version"],
        reason=document.get("recall") or "",
        by=last["actor"],
    )
    return entry(MODERATION_RECALLED, event, document.get("trace"))
