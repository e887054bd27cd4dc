"""What is held of a person, as they are given it: whole, under the names that the API has for it."""

from dataclasses import asdict
from typing import Any

from services.ingest.people.store import Person
from services.ingest.status.rules import Progress
from services.ingest.submissions.schemas import LedgerAnswer
from services.ingest.submissions.store import Revision, Submission
from services.ingest.uploads.protocol import Upload
from shared.events import as_utc


def account_held(person: Person) -> dict[str, Any]:
    """The account. Codes and links are kept as hashes, which say nothing to anybody."""
    return {
        "volunteer_id": person.person_id,
        "name": person.name,
        "country": person.country,
        "languages": person.languages,
        "section": person.section,
        "registered_at": as_utc(person.registered_at),
        "signed_in_at": person.signed_in_at and as_utc(person.signed_in_at),
    }


def submission_held(submission: Submission, progress: Progress) -> dict[str, Any]:
    """A submission in all its revisions, and what became of it."""
    return {
        **LedgerAnswer.of(submission, progress).model_dump(mode="json"),
        "withdrawn": submission.withdrawn,
        "erased_at": submission.erased_at and as_utc(submission.erased_at),
        "earlier_decisions": [each.model_dump(mode="json") for each in progress.earlier],
        "recall": progress.recall and progress.recall.model_dump(mode="json"),
        "revisions": [_revision_held(each) for each in submission.revisions],
    }


def _revision_held(revision: Revision) -> dict[str, Any]:
    draft = revision.manuscript.draft
    return {
        "revision": revision.number,
        "accepted_at": as_utc(revision.accepted_at),
        "idempotency_key": revision.manuscript.key,
        "title": draft.title,
        "body": draft.body,
        "language": draft.language,
        "country": draft.country,
        "section": draft.section,
        "hashtags": draft.hashtags,
        "attribution": draft.attribution.model_dump(mode="json"),
        "consent": draft.consent.model_dump(mode="json"),
        "ai": draft.ai.model_dump(mode="json"),
        "attachments": [asdict(each) for each in draft.attachments],
        "media": [each.model_dump(mode="json") for each in revision.manuscript.media],
    }


def upload_held(upload: Upload) -> dict[str, Any]:
    """An upload; its file is in the archive once a submission shows it."""
    return {
        "upload_id": upload.id,
        "state": upload.state,
        "type": upload.filetype,
        "bytes": upload.length,
        "created_at": as_utc(upload.created_at),
        "used_by": upload.kept_by,
    }
