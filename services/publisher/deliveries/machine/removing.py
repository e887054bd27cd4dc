"""What must go, or never appear: retired by a decision, taken away by a worker or by its successor."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.publisher.channels.port import NotSent, Removed, Residue, Unknown
from services.publisher.deliveries.model import GONE, Delivery, Refused, Rules
from services.publisher.deliveries.triggers import RemovalAnswered, Replaced, Retirement
from shared.events import DeliveryFailure


def retired(delivery: Delivery, reason: Retirement, now: datetime) -> Delivery | Refused:
    if delivery.state in GONE:
        return Refused("wrong_state")
    final = delivery.retired in {"recalled", "withdrawn"}
    if delivery.state != "posted" and (final or delivery.retired == reason):
        return Refused("already_retired")
    marked = delivery if final else replace(delivery, retired=reason)
    match delivery.state:
        case "planned":
            return marked.into("cancelled", now)
        case "posted":
            return marked.into("removing", now, due_at=now)
        case "removing" if delivery.lease is None:  # it may have waited for its successor
            return replace(marked, due_at=now)
        case _:  # what is under way ends first
            return marked


def removal_answered(
    delivery: Delivery, answer: RemovalAnswered, now: datetime, rules: Rules
) -> Delivery | Refused:
    if (refusal := delivery.refusal(answer.fence, "removing")) is not None:
        return refusal
    match answer.outcome:
        case Removed(proof):
            return delivery.into("removed", now, proof=proof, attempts=delivery.attempted(now, "removed"))
        case Residue(detail):
            failure = DeliveryFailure(code="residue", detail=detail)
            attempts = delivery.attempted(now, "residue", failure.code, detail)
            return delivery.into("residue", now, failure=failure, attempts=attempts)
        case NotSent() | Unknown() as trouble:
            failure = DeliveryFailure(code=trouble.code, detail=trouble.detail)
            attempts = delivery.attempted(now, "removal_failed", trouble.code, trouble.detail)
            if now - (delivery.since or now) >= rules.pace.give_up_removing:
                return delivery.into("needs_human", now, failure=failure, attempts=attempts)
            asked = trouble.retry_after if isinstance(trouble, NotSent) else None
            pause = max(rules.pace.backoff(delivery.tries + 1, rules.jitter), asked or 0.0)
            return replace(
                delivery,
                lease=None,
                due_at=now + timedelta(seconds=pause),
                tries=delivery.tries + 1,
                failure=failure,
                attempts=attempts,
            )


def awaited(delivery: Delivery) -> Delivery | Refused:
    if delivery.state != "removing" or delivery.lease is not None:
        return Refused("not_removing")
    return replace(delivery, due_at=None)


def released(delivery: Delivery, now: datetime) -> Delivery | Refused:
    if delivery.state != "removing" or delivery.due_at is not None:
        return Refused("not_waiting")
    return replace(delivery, due_at=now)


def replaced(delivery: Delivery, replacement: Replaced) -> Delivery | Refused:
    if delivery.state != "removing":
        return Refused("not_removing")
    return replace(
        delivery,
        state="removed",
        version=delivery.version + 1,
        lease=None,
        due_at=None,
        proof=replacement.proof,
        failure=None,
    )
