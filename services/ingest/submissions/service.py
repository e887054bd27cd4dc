"""Where authors' wishes arrive, from the API and from pages alike: submit, revise, withdraw, look up.

Everything is refused with a `Problem` that says how to fix it, and then nothing is stored.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass, replace
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel

from services.ingest import telemetry
from services.ingest.people import codes
from services.ingest.people.store import People
from services.ingest.problems import invalid
from services.ingest.status.rules import Progress, state_of
from services.ingest.status.store import Ledger
from services.ingest.submissions.store import Manuscript, Outcome, Submission, Submissions
from services.ingest.uploads.store import Uploads
from services.ingest.validation import fields
from services.ingest.validation.rules import Draft, FormRefused, Mistake, SubmissionRules, examine
from shared.events import Attribution, Media
from shared.http.problems import Problem
from shared.identity.tokens import Principal
from shared.text.plain_text import no_text

KEY_FORM: Final = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that a submission, or a revision of it, is stored."""

    submission_id: str
    revision: int

    @property
    def code(self) -> str:
        """The short code by which people speak of it."""
        return codes.receipt(self.submission_id)


class SubmissionService:
    """The authors' side of ingest."""

    def __init__(
        self,
        *,
        submissions: Submissions,
        ledger: Ledger,
        people: People,
        uploads: Uploads,
        rules: SubmissionRules,
        nudge: Callable[[str], None],
        media_wait: float,
    ) -> None:
        self._submissions, self._ledger, self._people = submissions, ledger, people
        self._uploads, self._rules = uploads, rules
        self._nudge, self._media_wait = nudge, media_wait
        self._in_progress: set[str] = set()

    async def submit(self, author: Principal, key: str | None, draft: Draft) -> Receipt:
        """Store a submission once per idempotency key; the same key and content give the same receipt again.

        Raises `Problem`: 400 `idempotency_key_missing` or `…_invalid`, 409 `idempotency_key_in_progress`, 422
        `idempotency_key_reused` or `submission_invalid`, and whatever `Uploads.claim` refuses.
        """
        used = checked_key(key)
        receipt = Receipt(codes.submission_id(author.person_id, used), 1)
        with self._alone(receipt.submission_id):
            print_ = fingerprint(draft)
            examined = examine(await self._credited(author, draft), self._rules)
            # Without media the insert itself finds an earlier one; this saves the usual request a read.
            if isinstance(examined, FormRefused) or examined.attachments:
                known = await self._submissions.find(receipt.submission_id)
                if known is not None:
                    return self._answer(receipt, known.outcome_of(used, print_) or "reused")
            manuscript = await self._manuscript(author, receipt, used, print_, examined)
            outcome = await self._submissions.accept(author.person_id, manuscript, datetime.now(UTC))
            return self._answer(receipt, outcome, manuscript)

    async def revise(self, author: Principal, submission_id: str, key: str | None, draft: Draft) -> Receipt:
        """Store the next revision of a submission that moderation wants changed.

        Raises `Problem`: as `submit`, and 404 `submission_unknown`, 409 `changes_not_requested`.
        """
        used = checked_key(key)
        with self._alone(submission_id):
            before = await self.own(author, submission_id)
            print_ = fingerprint(draft)
            for known in before.revisions:
                if known.manuscript.key == used:
                    receipt = Receipt(submission_id, known.number)
                    return self._answer(receipt, before.outcome_of(used, print_) or "reused")
            await self._expect_changes_requested(before)
            receipt = Receipt(submission_id, before.latest.number + 1)
            examined = examine(await self._credited(author, draft), self._rules)
            manuscript = await self._manuscript(author, receipt, used, print_, examined)
            outcome = await self._submissions.revise(before, manuscript, datetime.now(UTC))
            if outcome == "outdated":
                await self._expect_changes_requested(await self.own(author, submission_id))
            return self._answer(receipt, outcome, manuscript)

    async def withdraw(self, author: Principal, submission_id: str, reason: str | None) -> Receipt:
        """Withdraw a submission; once withdrawn it stays so, and doing it again changes nothing.

        Raises `Problem`: 404 `submission_unknown`, 422 `submission_invalid` for a reason that is no text.
        """
        if no_text(reason or "") is not None:
            given = fields.shown(reason)
            raise invalid(
                FormRefused((Mistake("reason", given, "holds characters that are not text; take them out"),))
            )
        while not (before := await self.own(author, submission_id)).withdrawn:
            if await self._submissions.withdraw(before, reason, datetime.now(UTC)):
                telemetry.submission_withdrawn(submission_id)
                self._nudge(submission_id)
        return Receipt(submission_id, before.latest.number)

    async def look_up(self, author: Principal, submission_id: str) -> tuple[Submission, Progress]:
        """A submission of one's own and what has become of it. Raises 404 `submission_unknown`."""
        submission = await self.own(author, submission_id)
        return submission, await self._ledger.of(submission_id)

    async def own(self, author: Principal, submission_id: str) -> Submission:
        """A submission of one's own. Raises 404 `submission_unknown`, also for somebody else's."""
        found = await self._submissions.find(submission_id)
        if found is None or found.author_id != author.person_id:
            raise Problem(
                404,
                "submission_unknown",
                "You have no submission with this id. Check the address, or sign in as the person who sent it.",
            )
        return found

    async def all_of(
        self, author: Principal, before: tuple[datetime, str] | None, most: int
    ) -> list[tuple[Submission, Progress]]:
        """One's own submissions, newest first, from after `before` (time accepted, id)."""
        found = await self._submissions.of(author.person_id, before, most)
        told = await self._ledger.of_all([each.submission_id for each in found])
        return [(each, told.get(each.submission_id, Progress())) for each in found]

    async def own_media(self, author: Principal, sha256: str) -> Media:
        """A photo or video of one's own. Raises 404 `media_unknown`, also for somebody else's."""
        found = await self._submissions.media_of(author.person_id, sha256)
        if found is None:
            raise Problem(404, "media_unknown", "No submission of yours has this photo or video.")
        return found

    @contextmanager
    def _alone(self, submission_id: str) -> Iterator[None]:
        """One request about a submission at a time in this process; others are asked to come again."""
        if submission_id in self._in_progress:
            raise Problem(
                409,
                "idempotency_key_in_progress",
                "The same request is still being worked on. Send it again, with the same key, in a second.",
                headers={"Retry-After": "1"},
            )
        self._in_progress.add(submission_id)
        try:
            yield
        finally:
            self._in_progress.discard(submission_id)

    async def _credited(self, author: Principal, draft: Draft) -> Draft:
        """With the author's own name filled in where they want to be named and gave no other."""
        if draft.attribution.mode != "name" or draft.attribution.text:
            return draft
        person = await self._people.get(author.person_id)
        return replace(draft, attribution=Attribution(mode="name", text=person.name))

    async def _manuscript(
        self, author: Principal, receipt: Receipt, key: str, print_: str, examined: Draft | FormRefused
    ) -> Manuscript:
        """What is to be stored, with its uploads held for it. Raises `Problem`."""
        if isinstance(examined, FormRefused):
            raise invalid(examined)
        ids = [each.upload_id for each in examined.attachments]
        if not ids:
            return Manuscript(key, print_, examined, ())
        clean = await self._uploads.claim(ids, author.person_id, wait=self._media_wait)
        await self._uploads.keep(ids, receipt.submission_id)
        media = tuple(
            each.model_copy(update={"alt": attachment.alt})
            for each, attachment in zip(clean, examined.attachments, strict=True)
        )
        return Manuscript(key, print_, examined, media)

    async def _expect_changes_requested(self, submission: Submission) -> None:
        progress = await self._ledger.of(submission.submission_id)
        state = state_of(submission.latest.number, progress, withdrawn=submission.withdrawn)
        if state != "changes_requested":
            raise Problem(
                409,
                "changes_not_requested",
                f"A revision can be sent when a moderator asks for changes; this submission is {state}.",
                state=state,
            )

    def _answer(self, receipt: Receipt, outcome: Outcome, manuscript: Manuscript | None = None) -> Receipt:
        if outcome == "repeated":
            telemetry.submission_repeated(receipt.submission_id)
        elif outcome == "stored" and manuscript is not None:
            telemetry.submission_accepted(receipt.submission_id, receipt.revision, len(manuscript.media))
            if receipt.revision > 1:
                self._nudge(receipt.submission_id)
        elif outcome == "outdated":
            raise Problem(
                409,
                "idempotency_key_in_progress",
                "Another revision came in between. Look it up, then decide.",
            )
        else:
            telemetry.submission_refused("idempotency_key_reused")
            raise Problem(
                422,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another content. Send each new submission under a key of its own.",
            )
        return receipt


def checked_key(given: str | None) -> str:
    """An idempotency key that can be used. Raises 400 `idempotency_key_missing` or `idempotency_key_invalid`."""
    if given is None or not given.strip():
        raise Problem(
            400,
            "idempotency_key_missing",
            "Send a header Idempotency-Key with a value made for this submission, such as a random UUID.",
        )
    if KEY_FORM.fullmatch(given) is None:
        raise Problem(
            400,
            "idempotency_key_invalid",
            "Idempotency-Key must have 1 to 255 visible ASCII characters without spaces, such as a random UUID.",
        )
    return given


def fingerprint(draft: Draft) -> str:
    """SHA-256 of a draft's content, every field of it, the same however its JSON was written."""
    return hashlib.sha256(json.dumps(_values(draft)).encode()).hexdigest()


def _values(part: object) -> object:
    """A value as plain JSON; of what has fields, their values in order."""
    if isinstance(part, tuple):
        return [_values(each) for each in part]
    if isinstance(part, BaseModel):
        return [_values(value) for _, value in part]
    if is_dataclass(part):
        return [_values(getattr(part, field.name)) for field in dataclass_fields(part)]
    return part
