"""Cases as the API and the pages show them."""

import hashlib
from datetime import datetime
from typing import Any

from services.moderation.cases.model import Case, CaseLease
from services.moderation.cases.rules import Content, required
from services.moderation.queue.claims import Claim
from services.moderation.queue.reader import QueueEntry
from services.moderation.screening.rules import Policy, Signal
from shared.events import as_utc

Json = dict[str, Any]


def handle(person_id: str) -> str:
    """What colleagues call each other here: never a name, the same every time."""
    digits = int.from_bytes(hashlib.sha256(person_id.encode()).digest()[:4], "big")
    letters = "BDFGKLMNPRSTVZ"
    vowels = "aeiou"
    syllables = []
    for _ in range(3):
        digits, consonant = divmod(digits, len(letters))
        digits, vowel = divmod(digits, len(vowels))
        syllables.append(letters[consonant].lower() + vowels[vowel])
    return "".join(syllables).capitalize()


def content_json(content: Content) -> Json:
    """What would be shown to the world."""
    return {
        "title": content.title,
        "body": content.body,
        "language": content.language,
        "hashtags": list(content.hashtags),
        "media": [
            {**media.model_dump(mode="json"), "url": f"/v1/media/{media.sha256}"} for media in content.media
        ],
    }


def signal_json(signal: Signal) -> Json:
    """One thing noticed."""
    return {
        "code": signal.code,
        "level": signal.level,
        "field": signal.field or None,
        "evidence": signal.evidence or None,
        "start": signal.start,
        "end": signal.end,
        "class": signal.sensitive,
    }


def submission_json(case: Case, policy: Policy) -> Json:
    """A case as the one who decides on it needs it."""
    standing = case.standing
    return {
        "submission_id": case.id,
        "revision": case.revision,
        "state": standing.state,
        "stage": case.stage,
        **content_json(standing.content),
        "country": case.country,
        "section": case.section,
        "attribution": case.attribution.model_dump(mode="json"),
        "consent": case.consent.model_dump(mode="json"),
        "ai": case.ai.model_dump(mode="json"),
        "author_id": standing.author_id,
        "received_at": as_utc(case.received_at),
        "classes": list(standing.classes),
        "risk": case.risk,
        "blur": policy.blurs(standing.classes),
        "reviewers": required(policy, standing.classes, case.sent, standing.content),
        "approvals": [{"by": handle(each.person_id), "at": as_utc(each.at)} for each in standing.approvals],
        "channels": None if standing.plan.channels is None else list(standing.plan.channels),
        "publish_at": standing.plan.publish_at and as_utc(standing.plan.publish_at),
        "sent": content_json(case.sent) if case.sent != standing.content else None,
    }


def claim_json(claim: Claim, policy: Policy) -> Json:
    """A claim as its holder needs it."""
    return {
        "claim_token": claim.lease.token,
        "lease_expires_at": as_utc(claim.lease.until),
        "submission": submission_json(claim.case, policy),
        "signals": [signal_json(signal) for signal in claim.case.signals],
    }


def held_json(lease: CaseLease | None, person_id: str) -> Json | None:
    """In whose hands a case is, without a name."""
    if lease is None:
        return None
    return {
        "by": handle(lease.person_id),
        "mine": lease.person_id == person_id,
        "until": as_utc(lease.until),
    }


def slot_json(slot: QueueEntry, person_id: str, policy: Policy, now: datetime) -> Json:
    """A line of the queue."""
    lease = None if slot.lease is None or slot.free(now) else CaseLease(**slot.lease)
    return {
        "submission_id": slot.id,
        "revision": slot.revision,
        "title": slot.title,
        "language": slot.language,
        "country": slot.country,
        "section": slot.section,
        "state": slot.state,
        "stage": slot.stage,
        "risk": slot.risk,
        "classes": list(slot.classes),
        "media": slot.media,
        "received_at": as_utc(slot.received_at),
        "approvals": len(slot.approvers),
        "reviewers": slot.reviewers(policy),
        "held": held_json(lease, person_id),
        "yours": slot.author_id == person_id,
        "approved_by_you": person_id in slot.approvers,
    }


def case_json(case: Case, policy: Policy, person_id: str, now: datetime) -> Json:
    """A case with its whole past."""
    return {
        **submission_json(case, policy),
        "signals": [signal_json(signal) for signal in case.signals],
        "held": held_json(case.held_by(now), person_id),
        "recall_reason": case.recall,
        "decisions": [
            {
                "decision_id": each.decision_id,
                "verdict": each.verdict,
                "state": each.state,
                "by": handle(each.by),
                "at": as_utc(each.at),
                "revision": each.revision,
                "reasons": list(each.reasons),
                "note": each.note,
                "classes": list(each.classes),
            }
            for each in case.decisions
        ],
        "deliveries": [
            {
                "delivery_id": each.id,
                "channel": each.channel,
                "language": each.language,
                "state": each.state,
                "revision": each.revision,
                "url": each.url,
            }
            for each in case.deliveries
        ],
        "audit": [
            {"seq": each.seq, "at": each.at, "by": who(each.actor), "action": each.action, "hash": each.hash}
            for each in case.audit
        ],
    }


def who(actor: str) -> str:
    """An actor of the trail as people see it."""
    return actor if actor == "system" else handle(actor)
