"""What is on the channel, after it did not say: a worker looks, a later visit checks, a person tells."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.publisher.channels.port import Absent, Posted, Unknown
from services.publisher.deliveries.machine.sending import posted
from services.publisher.deliveries.model import Attempt, Delivery, Refused, Rules
from services.publisher.deliveries.triggers import CannotLook, Looked, Resolved
from shared.events import DeliveryFailure


def looked(delivery: Delivery, look: Looked, now: datetime, rules: Rules) -> Delivery | Refused:
    if (refusal := delivery.refusal(look.fence, "reconciling")) is not None:
        return refusal
    match look.found:
        case Posted(remote_id, url):
            return posted(delivery, now, rules, remote_id, url, delivery.attempted(now, "found"))
        case Absent():
            return _found_nothing(delivery, now, rules)
        case Unknown(code, detail):
            failure = DeliveryFailure(code=code, detail=detail)
            if now - (delivery.since or now) >= rules.pace.give_up_looking:
                attempts = delivery.attempted(now, "unknown", code, detail)
                return delivery.into("needs_human", now, failure=failure, attempts=attempts)
            pause = timedelta(seconds=rules.pace.backoff(delivery.tries + 1, rules.jitter))
            return replace(
                delivery, lease=None, due_at=now + pause, tries=delivery.tries + 1, failure=failure
            )


def _found_nothing(delivery: Delivery, now: datetime, rules: Rules) -> Delivery:
    """Nothing there: believed only the second time, after what is late has had time to appear."""
    spacing = timedelta(seconds=rules.capabilities.absent_after)
    if delivery.absent_at is None:
        return replace(delivery, lease=None, due_at=now + spacing, absent_at=now, tries=0)
    if now < delivery.absent_at + spacing:
        return replace(delivery, lease=None, due_at=delivery.absent_at + spacing)
    return _again(delivery, now, delivery.attempted(now, "absent"), rules)


def _again(delivery: Delivery, now: datetime, attempts: tuple[Attempt, ...], rules: Rules) -> Delivery:
    """It is not there: plan it anew, or leave it when it must not appear any more."""
    gone: dict[str, object] = {"attempts": attempts, "absent_at": None, "remote_id": None, "unanswered": None}
    if delivery.retired is not None:
        return delivery.into("cancelled", now, url=None, **gone)
    if now - (delivery.trying_since or now) >= rules.pace.give_up_sending:
        return delivery.into("needs_human", now, failure=delivery.failure, **gone)
    pause = timedelta(seconds=rules.pace.backoff(delivery.attempt, rules.jitter))
    return delivery.into("planned", now, url=None, due_at=now + pause, **gone)


def cannot_look(delivery: Delivery, cannot: CannotLook, now: datetime, rules: Rules) -> Delivery | Refused:
    if (refusal := delivery.refusal(cannot.fence, "reconciling")) is not None:
        return refusal
    if not rules.capabilities.idempotent:
        return delivery.into("needs_human", now, failure=delivery.failure, unanswered=delivery.unanswered)
    if delivery.retired is None:
        return _again(delivery, now, delivery.attempts, rules)
    return delivery.into(
        "removing", now, due_at=now, remote_id=delivery.remote_id or delivery.id, unanswered=None
    )


def checked(
    delivery: Delivery, found: Posted | Absent | Unknown, now: datetime, rules: Rules
) -> Delivery | Refused:
    if delivery.state != "posted" or delivery.retired is not None:
        return Refused("wrong_state")
    if isinstance(found, Absent):
        failure = DeliveryFailure(
            code="not_visible", detail="The channel said it was posted, but shows nothing."
        )
        attempts = delivery.attempted(now, "not_visible", failure.code, failure.detail)
        return delivery.into("unknown", now, due_at=now, failure=failure, attempts=attempts)
    if isinstance(found, Unknown):
        pause = timedelta(seconds=rules.pace.backoff(delivery.tries + 1, rules.jitter))
        return replace(delivery, tries=delivery.tries + 1, due_at=now + pause)
    visits = delivery.visits + 1
    return replace(
        delivery,
        visits=visits,
        tries=0,
        url=found.url or delivery.url,
        due_at=rules.pace.next_visit(visits, now, rules.capabilities),
    )


def resolved(delivery: Delivery, word: Resolved, now: datetime, rules: Rules) -> Delivery | Refused:
    attempts = delivery.attempted(now, f"person_{word.outcome}", word.by, word.url or "")
    removal = delivery.retired is not None and delivery.remote_id is not None
    match (delivery.state, word.outcome):
        case ("needs_human", "posted"):
            remote_id = delivery.remote_id or word.url or delivery.id
            return posted(delivery, now, rules, remote_id, word.url, attempts)
        case ("needs_human" | "residue", "absent") if removal or delivery.state == "residue":
            proof = f"{word.by} looked and found nothing"
            return delivery.into("removed", now, proof=proof, attempts=attempts)
        case ("needs_human", "absent"):
            return _again(replace(delivery, trying_since=None), now, attempts, rules)
        case ("needs_human", "cancelled"):
            return delivery.into("cancelled", now, attempts=attempts, unanswered=None)
        case _:
            return Refused("wrong_state")
