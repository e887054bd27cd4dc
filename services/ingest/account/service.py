"""A volunteer's own account: what is kept of it, the file of everything, and its deletion.

Deleting is a wish that is stored at once and carried out by a job (`jobs.py`), because channels take their time. Every step
may be repeated; a process that dies leaves the rest to the next.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from services.ingest import telemetry
from services.ingest.account.archive import archive
from services.ingest.account.held import account_held, submission_held, upload_held
from services.ingest.account.rules import AccountDeletion, deletion_of, is_over, may_close
from services.ingest.people.service import volunteers_only
from services.ingest.people.store import People, Person
from services.ingest.retention.service import SubmissionErasure
from services.ingest.status.rules import Progress
from services.ingest.submissions.service import SubmissionService
from services.ingest.submissions.store import Submission, Submissions
from services.ingest.uploads.store import Uploads
from shared.identity.tokens import Epochs, Principal
from shared.storage.media import MediaStore

PAGE: Final = 100
PEOPLE_AT_ONCE: Final = 20


def present() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AccountService:
    """The use cases, called by API, pages and job alike."""

    people: People
    submissions: Submissions
    reception: SubmissionService
    uploads: Uploads
    erasure: SubmissionErasure
    epochs: Epochs
    store: MediaStore
    wake: Callable[[], None]
    """Have the job look now."""
    clock: Callable[[], datetime] = present

    async def person(self, who: Principal) -> Person:
        """Whose account it is."""
        return await self.people.get(who.person_id)

    async def everything(self, person_id: str) -> AsyncIterator[tuple[Submission, Progress]]:
        """All that somebody sent, newest first, and what became of it."""
        who, before = Principal(person_id, "volunteer"), None
        while found := await self.reception.all_of(who, before, PAGE):
            for each in found:
                yield each
            last = found[-1][0]
            before = (last.accepted_at, last.submission_id)

    async def deletion(self, person_id: str) -> AccountDeletion:
        """How far the deletion of an account is, or would be."""
        return deletion_of(
            [
                (submission.withdrawn, submission.erased_at is not None, progress)
                async for submission, progress in self.everything(person_id)
            ]
        )

    async def export(self, who: Principal) -> AsyncIterator[bytes]:
        """A ZIP of everything that ingest holds of a person, with what the other services told of it."""
        person = await self.person(who)
        sent = [each async for each in self.everything(who.person_id)]
        documents = {
            "account.json": account_held(person),
            "submissions.json": [submission_held(*each) for each in sent],
            "uploads.json": [upload_held(each) for each in await self.uploads.of(who.person_id)],
        }
        media = {
            each.sha256: each.type
            for submission, _ in sent
            for revision in submission.revisions
            for each in revision.manuscript.media
        }
        return archive(documents, media, self.store)

    async def delete(self, who: Principal) -> None:
        """Delete the account and all that was sent from it. Raises 403 `volunteers_only`."""
        if who.is_staff:
            raise volunteers_only()
        await self.people.leave(who.person_id, self.clock())
        telemetry.account_leaving(who.person_id)
        self.wake()

    async def is_deleted(self, person_id: str) -> bool:
        """Whether the account was closed."""
        try:
            return (await self.people.get(person_id)).forgotten_at is not None
        except LookupError:
            return False

    async def drain(self) -> int:
        """Carry on with every deletion; how many accounts are over with."""
        now = self.clock()
        return sum([await self.go_on(each, now) for each in await self.people.leaving(now, PEOPLE_AT_ONCE)])

    async def go_on(self, person: Person, now: datetime) -> bool:
        """Withdraw and erase what one person sent, close the account; true when nothing of it is left to do."""
        who = person.principal()
        async for submission, _ in self.everything(person.person_id):
            if not submission.withdrawn:
                await self.reception.withdraw(who, submission.submission_id, None)
        await self.submissions.delete(person.person_id, now)
        async for submission, _ in self.everything(person.person_id):
            if submission.erased_at is None:
                await self.erasure.erase(submission.submission_id, now)
        await self.uploads.end_all(person.person_id, now)
        deletion = await self.deletion(person.person_id)
        since = person.leaving_since or now
        if person.forgotten_at is None and may_close(deletion, since, now):
            await self.people.forget(person.person_id, now)
            self.epochs.forget(person.person_id)
            telemetry.account_closed(person.person_id)
        if is_over(deletion, person.forgotten_at, now):
            await self.people.left(person.person_id)
            return True
        return False
