"""Volunteers and staff: the one place where names are kept. All others know people by pseudonymous ids.

Recovery codes and sign-in links are kept hashed. Every change is one compare-and-set write on the person's
version, with the event that tells the others about it in the same document.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4, uuid5

from services.ingest.people import codes
from services.ingest.validation.rules import Newcomer
from shared.bus import outbox
from shared.bus.left_over import LONG_AGO
from shared.bus.told_again import tell_again
from shared.events import PERSON_REGISTERED, STAFF_CHANGED, PersonRegistered, Role, Scopes, StaffChanged
from shared.identity.tokens import STAFF, STAFF_TOKEN, VOLUNTEER_TOKEN, Principal
from shared.storage.compare_and_set import Race
from shared.storage.document import Document
from shared.storage.mongo import Collection

LEFT_OVER: Final = timedelta(minutes=1)
"""An outbox this old is published at the relay's next look, without waiting for its writer to do it."""
STANDINGS: Final = UUID("0b9d1c5e-7a34-5d0e-8f5b-6f4c2d1e9a77")
"""Namespace of the ids under which staff is told again."""
CHANGING: Final = ("epoch", "active", "version", "ended", "ended_sessions")
"""What changes of a person. Tokens are held against `epoch`, `active` and `ended_sessions`."""


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that was signed out of, kept until its token has expired."""

    session_id: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in."""

    person_id: str
    name: str
    role: Role
    registered_at: datetime
    country: str | None = None
    languages: tuple[str, ...] = ()
    section: str | None = None
    scopes: Scopes = field(default_factory=Scopes)
    epoch: int = 0
    active: bool = True
    version: int = 1
    ended: tuple[EndedSession, ...] = ()
    signed_in_at: datetime | None = None
    leaving_since: datetime | None = None
    """Since when all that they sent is being deleted."""
    forgotten_at: datetime | None = None
    """When the account was closed, and all that told of them taken out of it."""

    def principal(self, session_id: str | None = None) -> Principal:
        """The person as tokens speak of them."""
        return Principal(self.person_id, self.role, self.scopes, self.epoch, session_id)


class People:
    """The store. `left_over` marks events as already waiting: for a process that has no relay of its own."""

    def __init__(self, collection: Collection, *, left_over: bool = False) -> None:
        self.collection = collection
        self._left_over = left_over

    async def prepare(self) -> None:
        """Make the indexes."""
        await self.collection.create_index(
            [("recovery", 1)],
            unique=True,
            name="recovery",
            partialFilterExpression={"recovery": {"$exists": True}},
        )
        await self.collection.create_index([("links.hash", 1)], sparse=True, name="links")
        await self.collection.create_index([("role", 1), ("_id", 1)], name="role")
        await self.collection.create_index([("leaving_since", 1)], name="leaving", sparse=True)

    async def register(self, newcomer: Newcomer, now: datetime) -> tuple[Person, str]:
        """A new volunteer and their recovery code, which is shown once and never again."""
        person = Person(
            person_id=str(uuid4()),
            name=newcomer.name,
            role="volunteer",
            registered_at=now,
            country=newcomer.country,
            languages=newcomer.languages,
            section=newcomer.section,
        )
        event = PersonRegistered(
            event_id=uuid4(),
            occurred_at=now,
            subject_id=person.person_id,
            version=person.version,
            country=newcomer.country,
            languages=newcomer.languages,
            section=newcomer.section,
        )
        code = codes.new_recovery_code()
        document = _document(person) | {"recovery": codes.hash_of_code(code)}
        await self.collection.insert_one(document | outbox.embedded(outbox.entry(PERSON_REGISTERED, event)))
        return person, code

    async def recover(self, code: str) -> tuple[Person, str] | None:
        """The volunteer whose code this is, and the next code; nothing when it is nobody's.

        The code is used up, and tokens issued before are refused from now on.
        """
        used, fresh = codes.hash_of_code(code), codes.new_recovery_code()
        found = await self.collection.find_one({"recovery": used, "active": True})
        if found is None:
            return None
        done = await self.collection.update_one(
            {"_id": found["_id"], "recovery": used},
            {"$set": {"recovery": codes.hash_of_code(fresh)}, "$inc": {"epoch": 1, "version": 1}},
        )
        if done.modified_count == 0:
            return None
        return await self.get(found["_id"]), fresh

    async def new_code(self, person_id: str) -> str:
        """A volunteer's next recovery code; the one before stops working. Raises `LookupError`."""
        fresh = codes.new_recovery_code()
        done = await self.collection.update_one(
            {"_id": person_id, "role": "volunteer", "active": True},
            {"$set": {"recovery": codes.hash_of_code(fresh)}},
        )
        if done.matched_count == 0:
            raise LookupError(person_id)
        return fresh

    async def leave(self, person_id: str, now: datetime) -> None:
        """A volunteer's account is to be deleted from now on. Repeating it changes nothing."""
        await self.collection.update_one(
            {"_id": person_id, "role": "volunteer", "leaving_since": None, "forgotten_at": None},
            {"$set": {"leaving_since": now}},
        )

    async def leaving(self, until: datetime, most: int) -> list[Person]:
        """Those whose accounts are to be deleted since before then, whoever has waited longest first."""
        query = {"leaving_since": {"$gt": LONG_AGO, "$lte": until}}
        return [
            _person(each)
            for each in await self.collection.find(query).sort("leaving_since", 1).limit(most).to_list(None)
        ]

    async def forget(self, person_id: str, now: datetime) -> None:
        """Close a leaving volunteer's account: their tokens and codes are refused, nothing tells of them any more."""
        blank: Document = {
            "name": "",
            "country": None,
            "languages": [],
            "section": None,
            "signed_in_at": None,
        }
        await self.collection.update_one(
            {"_id": person_id, "leaving_since": {"$gt": LONG_AGO}, "forgotten_at": None},
            {
                "$set": {**blank, "active": False, "ended": [], "ended_sessions": [], "forgotten_at": now},
                "$unset": {"recovery": "", "links": ""},
                "$inc": {"epoch": 1, "version": 1},
            },
        )

    async def left(self, person_id: str) -> None:
        """Nothing of a forgotten person is left to be deleted."""
        await self.collection.update_one(
            {"_id": person_id, "forgotten_at": {"$gt": LONG_AGO}}, {"$unset": {"leaving_since": ""}}
        )

    async def add_staff(self, role: Role, name: str, scopes: Scopes, now: datetime) -> Person:
        """A new staff member."""
        person = Person(str(uuid4()), name=name, role=role, registered_at=now, scopes=scopes)
        event = outbox.embedded(outbox.entry(STAFF_CHANGED, _told(person, now)))
        await self.collection.insert_one(_document(person) | event | self._since(now))
        return person

    async def get(self, person_id: str) -> Person:
        """Somebody by id. Raises `LookupError`."""
        found = await self.collection.find_one({"_id": person_id})
        if found is None:
            raise LookupError(person_id)
        return _person(found)

    async def staff(self) -> list[Person]:
        """Everybody who is no volunteer, oldest first."""
        found = await self.collection.find({"role": {"$in": list(STAFF)}}).to_list(None)
        return sorted((_person(document) for document in found), key=lambda person: person.registered_at)

    async def renew(self, person_id: str, now: datetime) -> Person:
        """Refuse every token that the person has, so that a new one is the only one. Raises `LookupError`."""
        return await self._change(person_id, now, lambda person: replace(person, epoch=person.epoch + 1))

    async def disable(self, person_id: str, now: datetime) -> Person:
        """Refuse the person's tokens, links and codes from now on. Raises `LookupError`."""
        return await self._change(
            person_id, now, lambda person: replace(person, active=False, epoch=person.epoch + 1)
        )

    async def end_session(self, person_id: str, session_id: str, now: datetime) -> Person:
        """Refuse this session's token from now on. Raises `LookupError`."""

        def end(person: Person) -> Person:
            until = now + (VOLUNTEER_TOKEN if person.role == "volunteer" else STAFF_TOKEN)
            kept = tuple(each for each in person.ended if each.until > now and each.session_id != session_id)
            return replace(person, ended=(*kept, EndedSession(session_id, until)))

        return await self._change(person_id, now, end)

    async def add_link(self, person_id: str, now: datetime, life: timedelta) -> str:
        """The secret of a sign-in link that works once, until `life` is over. Raises `LookupError`."""
        secret = codes.new_secret()
        link = {"hash": codes.hash_of(secret), "until": now + life}
        done = await self.collection.update_one(
            {"_id": person_id, "active": True}, {"$push": {"links": link}}
        )
        if done.matched_count == 0:
            raise LookupError(person_id)
        await self.collection.update_one({"_id": person_id}, {"$pull": {"links": {"until": {"$lte": now}}}})
        return secret

    async def redeem(self, secret: str, now: datetime) -> Person | None:
        """Whose sign-in link this is, using it up; nothing when it is unknown, used or too old."""
        link = codes.hash_of(secret)
        found = await self.collection.find_one({"links.hash": link, "active": True})
        if found is None or not any(each["hash"] == link and each["until"] > now for each in found["links"]):
            return None
        done = await self.collection.update_one(
            {"_id": found["_id"], "links.hash": link},
            {"$pull": {"links": {"hash": link}}, "$set": {"signed_in_at": now}},
        )
        return _person(found) if done.modified_count else None

    async def _change(self, person_id: str, now: datetime, change: Callable[[Person], Person]) -> Person:
        race = Race("this person's record")
        while True:
            before = await self.get(person_id)
            after = replace(change(before), version=before.version + 1)
            update: Document = {"$set": {name: _document(after)[name] for name in CHANGING}}
            if after.role != "volunteer":
                told = outbox.appended(outbox.entry(STAFF_CHANGED, _told(after, now)))
                told["$set"] |= self._since(now)
                update = outbox.merge(update, told)
            done = await self.collection.update_one({"_id": person_id, "version": before.version}, update)
            if done.modified_count:
                return after
            await race.lost()

    def _since(self, now: datetime) -> Document:
        return dict.fromkeys(("outbox_since", "outbox_urgent"), now - LEFT_OVER) if self._left_over else {}

    async def tell_again(self, marks: Collection) -> None:
        """How things stand with the staff, which an earlier version told unsigned."""
        staff: Document = {"role": {"$in": list(STAFF)}}
        await tell_again(marks, "staff told signed", self.collection, staff, _standing_in)


def _standing_in(document: Document) -> Document:
    person = _person(document)
    event_id = uuid5(STANDINGS, f"{person.person_id}:{person.version}")
    return outbox.entry(STAFF_CHANGED, _told(person, datetime.now(UTC), event_id))


def _told(person: Person, now: datetime, event_id: UUID | None = None) -> StaffChanged:
    return StaffChanged(
        event_id=event_id or uuid4(),
        occurred_at=now,
        subject_id=person.person_id,
        version=person.version,
        role=person.role,
        scopes=person.scopes,
        token_epoch=person.epoch,
        active=person.active,
        ended_sessions=tuple(each.session_id for each in person.ended),
    )


def _document(person: Person) -> Document:
    return {
        "_id": person.person_id,
        "name": person.name,
        "role": person.role,
        "registered_at": person.registered_at,
        "country": person.country,
        "languages": list(person.languages),
        "section": person.section,
        "scopes": person.scopes.model_dump(mode="json"),
        "epoch": person.epoch,
        "active": person.active,
        "version": person.version,
        "ended": [{"session_id": each.session_id, "until": each.until} for each in person.ended],
        "ended_sessions": [each.session_id for each in person.ended],
        "signed_in_at": person.signed_in_at,
    }


def _person(document: Document) -> Person:
    return Person(
        person_id=document["_id"],
        name=document["name"],
        role=document["role"],
        registered_at=document["registered_at"],
        country=document["country"],
        languages=tuple(document["languages"]),
        section=document["section"],
        scopes=Scopes.model_validate(document["scopes"]),
        epoch=document["epoch"],
        active=document["active"],
        version=document["version"],
        ended=tuple(EndedSession(each["session_id"], each["until"]) for each in document["ended"]),
        signed_in_at=document["signed_in_at"],
        leaving_since=document.get("leaving_since"),
        forgotten_at=document.get("forgotten_at"),
    )
