"""What moderation keeps, why, and until when. Pure."""

from typing import Final

from shared.retention.model import KeptData

KEPT: Final = (
    KeptData(
        "moderation.cases",
        "titles, texts, hashtags, alternative texts and credit, as sent and as approved; what screening saw in them; "
        "notes and reasons of moderators",
        "to review, and to see what was decided on",
        "the case's end: withdrawn, rejected, unanswered or recalled, and the days after it",
    ),
    KeptData(
        "moderation.cases",
        "states, reason codes, classes, ids of author and moderators; SHA-256 of what was decided on and of notes",
        "the audit trail: who decided what, provably",
        "for good",
    ),
    KeptData(
        "moderation.seals",
        "hashes of audit trails",
        "to show that no trail was rewritten",
        "for good",
    ),
    KeptData(
        "moderation.lanes",
        "how many cases wait, by language",
        "the order of the queue",
        "for good",
    ),
    KeptData(
        "moderation.country_lanes",
        "how many cases wait, by language and country",
        "the order of the queue",
        "for good",
    ),
    KeptData(
        "moderation.recalls",
        "when a person took approvals back, by id",
        "to ask for a second person after many",
        "for good",
    ),
    KeptData(
        "moderation.marks", "that earlier events were told again", "to tell them again once", "for good"
    ),
    KeptData(
        "moderation.epochs",
        "roles and sessions of staff that count no more, by id",
        "to refuse old tokens",
        "for good",
    ),
)
