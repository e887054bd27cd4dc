"""What ingest keeps, why, and until when; when a submission's texts and files may go. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from services.ingest.status.rules import Progress, end_of, lets_go
from shared.retention.model import End, Ending, KeptData

_END: Final = "the submission's end: withdrawn, rejected, unanswered or recalled, and the days after it"

KEPT: Final = (
    KeptData(
        "ingest.people",
        "name, country, languages, team; role and scopes of staff; hashes of recovery codes and sign-in links",
        "to let people in, and to name those who wish to be named",
        "the account is deleted; then the id, the role and since when it is closed remain, so that old tokens stay refused",
    ),
    KeptData(
        "ingest.sessions",
        "ids of staff's sessions, whose they are, when they were opened and last used",
        "to end those in which nothing is done",
        "the session's token expires",
    ),
    KeptData(
        "ingest.limits",
        "ids of people and networks' addresses, and how much they may ask for now",
        "to keep one from asking for everybody's share",
        "nothing was asked for so long that the whole share is there again",
    ),
    KeptData(
        "ingest.submissions",
        "titles, texts, hashtags, alternative texts, credit, the reason of a withdrawal",
        "to review, publish and show them to their author",
        _END,
    ),
    KeptData(
        "ingest.submissions",
        "ids, language, country, team, consent and version of the terms, idempotency key, SHA-256 of the content, times",
        "to prove what was agreed to, and to know a repeated request again",
        "for good",
    ),
    KeptData(
        "ingest.ledger",
        "the text as approved, moderation's note, the reason of a recall",
        "to tell authors what became of their material",
        _END,
    ),
    KeptData(
        "ingest.ledger",
        "states, reason codes, channels, addresses, reach",
        "to tell authors what became of their material",
        "for good",
    ),
    KeptData(
        "ingest.uploads",
        "owner's id, media type, size, state; never the file's name",
        "to go on with an upload, and to know which files are needed",
        "24 hours after the last byte without a submission; else the submission's end; then a week, to say that it is gone",
    ),
    KeptData("ingest.marks", "that earlier events were told again", "to tell them again once", "for good"),
    KeptData("ingest.media_removals", "digests of files", "to remove each file once", "the file is removed"),
    KeptData(
        "ingest.checkpoints",
        "how far events were published",
        "to lose none of them",
        "the process ends, and a day more",
    ),
    KeptData("quarantine/", "files as they were sent, with their metadata", "to screen them", "screened"),
    KeptData(
        "clean/",
        "photos and videos without metadata",
        "to review and publish them",
        "no submission of anybody needs them",
    ),
)


def end_for(marked: End | None, revision: int, progress: Progress, told_at: datetime | None) -> End | None:
    """Why nobody needs a submission's texts any more, and since when; nothing while somebody does.

    What its author did is `marked` in the submission. What the others told until `told_at` counts if they told it of the
    latest `revision`.
    """
    if marked is not None:
        return marked
    known = [each.revision for each in (progress.case, progress.decision) if each is not None]
    if told_at is None or max(known, default=0) != revision:
        return None
    return end_of(progress, told_at)


def may_go(end: End | None, progress: Progress, periods: Mapping[Ending, timedelta], now: datetime) -> bool:
    """Whether texts and files may be taken away now: their time is over, and no channel has yet to let go of them."""
    return end is not None and end.due(periods, now) and lets_go(progress)
