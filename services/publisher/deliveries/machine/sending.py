"""From planned to the channel's answer: leases, the call that is begun, and what the channel said."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.publisher.channels.port import NotSent, Posted, Rejected, Unknown
from services.publisher.deliveries.model import Attempt, Delivery, Lease, Refused, Rules
from services.publisher.deliveries.triggers import (
    Answered,
    Approved,
    Claimed,
    LeaseLost,
    PrepareFailed,
    SendStarted,
)
from shared.events import DeliveryFailure


def claimed(delivery: Delivery, claim: Claimed, now: datetime) -> Delivery | Refused:
    if delivery.due_at is None or delivery.due_at > now:
        return Refused("not_due")
    if delivery.held(now):
        return Refused("held")
    lease: dict[str, object] = {
        "fence": delivery.fence + 1,
        "lease": Lease(claim.holder, claim.until),
        "due_at": claim.until,
    }
    match delivery.state:
        case "planned" | "reconciling" | "removing":
            return replace(delivery, **lease)  # type: ignore[arg-type]
        case "unknown":
            return delivery.into("reconciling", now, failure=delivery.failure, **lease)
        case "posted" if delivery.retired is not None:
            return delivery.into("removing", now, **lease)
        case _:
            return Refused("wrong_state")


def approved(delivery: Delivery, approval: Approved, now: datetime) -> Delivery | Refused:
    if approval.approval <= delivery.approval or delivery.retired in {"recalled", "withdrawn"}:
        return Refused("superseded")
    anew: dict[str, object] = {
        "approval": approval.approval,
        "edition": approval.approval,
        "due_at": approval.due_at,
    }
    match delivery.state:
        case "planned":
            return replace(delivery, lease=None, **anew)  # type: ignore[arg-type]
        case "cancelled" if delivery.attempt == 0:
            return delivery.into("planned", now, retired=None, planned_at=now, **anew)
        case "removed" if delivery.retired == "superseded":
            return _from_the_start(delivery).into("planned", now, planned_at=now, **anew)
        case _:
            return Refused("wrong_state")


def _from_the_start(delivery: Delivery) -> Delivery:
    """It was posted and is provably gone: as if it had never been, but for its history."""
    return replace(
        delivery,
        round=delivery.round + 1,
        retired=None,
        remote_id=None,
        url=None,
        proof=None,
        prepared={},
        figures={},
        visits=0,
        absent_at=None,
        trying_since=None,
    )


def prepare_failed(
    delivery: Delivery, failed: PrepareFailed, now: datetime, rules: Rules
) -> Delivery | Refused:
    if (refusal := delivery.refusal(failed.fence, "planned")) is not None:
        return refusal
    return _not_sent(delivery, failed.outcome, now, rules)


def send_started(delivery: Delivery, started: SendStarted, now: datetime) -> Delivery | Refused:
    if (refusal := delivery.refusal(started.fence, "planned")) is not None:
        return refusal
    if not delivery.held(now):
        return Refused("lease_lost")
    if delivery.retired is not None:
        return Refused("retired")
    if started.approval is None or started.approval != delivery.approval:
        return Refused("not_approved")
    assert delivery.lease is not None  # noqa: S101 - `held` said so
    return replace(
        delivery,
        state="sending",
        version=delivery.version + 1,
        attempt=delivery.attempt + 1,
        trying_since=delivery.trying_since or now,
        unanswered=delivery.attempt + 1,
        prepared=dict(started.prepared),
        lease=Lease(delivery.lease.holder, started.until),
        due_at=started.until,
        since=now,
        failure=None,
    )


def answered(delivery: Delivery, answer: Answered, now: datetime, rules: Rules) -> Delivery | Refused:
    if delivery.unanswered != answer.attempt:
        return Refused("already_answered")
    match answer.outcome:
        case Posted(remote_id, url):
            return posted(delivery, now, rules, remote_id, url, delivery.attempted(now, "posted"))
        case Unknown(code, detail):
            failure = DeliveryFailure(code=code, detail=detail)
            attempts = delivery.attempted(now, "unknown", code, detail)
            if delivery.state != "sending":  # it is being looked for already
                return replace(delivery, unanswered=None, failure=failure, attempts=attempts)
            return delivery.into(
                "unknown", now, due_at=now, failure=failure, attempts=attempts, unanswered=None
            )
        case Rejected() | NotSent() as refusal:
            return _not_sent(delivery, refusal, now, rules)


def posted(
    delivery: Delivery,
    now: datetime,
    rules: Rules,
    remote_id: str,
    url: str | None,
    attempts: tuple[Attempt, ...],
) -> Delivery:
    """It is on the channel: look after it later, or take it away when it must go."""
    due = now if delivery.retired is not None else rules.pace.next_visit(0, now, rules.capabilities)
    return delivery.into(
        "posted",
        now,
        remote_id=remote_id,
        url=url or delivery.url,
        attempts=attempts,
        due_at=due,
        visits=0,
        absent_at=None,
        unanswered=None,
    )


def _not_sent(delivery: Delivery, outcome: Rejected | NotSent, now: datetime, rules: Rules) -> Delivery:
    """Nothing happened on the channel: give up, or plan it again."""
    failure = DeliveryFailure(code=outcome.code, detail=outcome.detail)
    told = "rejected" if isinstance(outcome, Rejected) else "not_sent"
    attempts = delivery.attempted(now, told, outcome.code, outcome.detail)
    if isinstance(outcome, Rejected) and outcome.scope == "post":
        return delivery.into("rejected", now, failure=failure, attempts=attempts, unanswered=None)
    if delivery.retired is not None:
        return delivery.into("cancelled", now, attempts=attempts, unanswered=None)
    since = delivery.trying_since or now
    if now - since >= rules.pace.give_up_sending:
        return delivery.into("needs_human", now, failure=failure, attempts=attempts, unanswered=None)
    asked = outcome.retry_after if isinstance(outcome, NotSent) else rules.pace.channel_trouble
    pause = max(rules.pace.backoff(delivery.tries + 1, rules.jitter), asked or 0.0)
    waiting: dict[str, object] = {
        "trying_since": since,
        "failure": failure,
        "attempts": attempts,
        "tries": delivery.tries + 1,
        "due_at": now + timedelta(seconds=pause),
        "unanswered": None,
    }
    if delivery.state == "planned":
        return replace(delivery, lease=None, **waiting)  # type: ignore[arg-type]
    return delivery.into("planned", now, **waiting)


def lease_lost(delivery: Delivery, lost: LeaseLost, now: datetime) -> Delivery | Refused:
    if delivery.lease is None:
        return Refused("not_held")
    if delivery.held(now) and lost.holder != delivery.lease.holder:
        return Refused("held")
    if delivery.state != "sending":
        return replace(delivery, lease=None, due_at=now)
    failure = DeliveryFailure(code="interrupted", detail="The call was begun and its answer never recorded.")
    attempts = delivery.attempted(now, "unknown", failure.code, failure.detail)
    return delivery.into("unknown", now, due_at=now, failure=failure, attempts=attempts)
