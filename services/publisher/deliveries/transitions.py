"""The delivery machine, pure: a delivery, what happened to it, and what it is afterwards.

    planned → planned (one step of the preparation is done, and stored)
    planned → sending → posted | rejected | unknown | planned (provably not sent)
    planned → cancelled | rejected (refused in preparation) | needs_human (never got through)
    unknown → reconciling → posted | planned | cancelled | removing | needs_human
    needs_human → posted | planned | cancelled | removed
    posted → unknown (a read-back found nothing) | removing → removed | residue | needs_human
    residue → removed (a person took it away)
    cancelled → planned (approved again before anything was sent)
    removed → planned (made way for another revision, and is approved again)

What a channel did not answer is never sent again blindly: it goes through `reconciling`, and, where nobody
can look and a repetition would show, to a person. `advance` gives back the new delivery or a refusal; it never
raises and keeps no clock and no random numbers of its own.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from services.publisher.channels.port import Absent, NotSent, Posted, Rejected, Removed, Residue, Unknown
from services.publisher.deliveries.model import GONE, Attempt, Delivery, Lease, Refused, Rules
from services.publisher.deliveries.triggers import (
    Answered,
    Approved,
    Awaited,
    CannotLook,
    Checked,
    Claimed,
    Happening,
    LeaseLost,
    Looked,
    PrepareFailed,
    PrepareStepped,
    Released,
    RemovalAnswered,
    Replaced,
    Resolved,
    Retired,
    Retirement,
    SendStarted,
)
from shared.events import DeliveryFailure


def advance(delivery: Delivery, happening: Happening, now: datetime, rules: Rules) -> Delivery | Refused:  # noqa: C901, PLR0911, PLR0912 - one line per happening, the machine's table of contents
    """The delivery after `happening`, or why it does not apply."""
    match happening:
        case Claimed():
            return _claimed(delivery, happening, now)
        case PrepareFailed():
            return _prepare_failed(delivery, happening, now, rules)
        case PrepareStepped():
            return _prepare_stepped(delivery, happening, now, rules)
        case SendStarted():
            return _send_started(delivery, happening, now)
        case Answered():
            return _answered(delivery, happening, now, rules)
        case LeaseLost():
            return _lease_lost(delivery, happening, now)
        case Looked():
            return _looked(delivery, happening, now, rules)
        case CannotLook():
            return _cannot_look(delivery, happening, now, rules)
        case Checked():
            return _checked(delivery, happening.found, now, rules)
        case RemovalAnswered():
            return _removal_answered(delivery, happening, now, rules)
        case Retired():
            return _retired(delivery, happening.reason, now)
        case Approved():
            return _approved(delivery, happening, now)
        case Resolved():
            return _resolved(delivery, happening, now, rules)
        case Replaced():
            return _replaced(delivery, happening)
        case Awaited():
            return _awaited(delivery)
        case Released():
            return _released(delivery, now)


# from planned to the channel's answer: leases, the call that is begun, and what the channel said


def _claimed(delivery: Delivery, claim: Claimed, now: datetime) -> Delivery | Refused:
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


def _approved(delivery: Delivery, approval: Approved, now: datetime) -> Delivery | Refused:
    if approval.approval <= delivery.approval or delivery.retired in {"recalled", "withdrawn"}:
        return Refused("superseded")
    anew: dict[str, object] = {
        "approval": approval.approval,
        "edition": approval.approval,
        "due_at": approval.due_at,
        "prepared": {},  # it was prepared for what an earlier decision showed
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


def _prepare_failed(
    delivery: Delivery, failed: PrepareFailed, now: datetime, rules: Rules
) -> Delivery | Refused:
    if (refusal := delivery.refusal(failed.fence, "planned")) is not None:
        return refusal
    return _not_sent(delivery, failed.outcome, now, rules)


def _prepare_stepped(
    delivery: Delivery, step: PrepareStepped, now: datetime, rules: Rules
) -> Delivery | Refused:
    if (refusal := delivery.refusal(step.fence, "planned")) is not None:
        return refusal
    moved = step.so_far != delivery.prepared
    since = now if moved else delivery.trying_since or now
    if now - since >= rules.pace.give_up_sending:
        failure = DeliveryFailure(
            code="preparation_stuck", detail="The channel has not got on with it since."
        )
        return delivery.into("needs_human", now, failure=failure)
    return replace(
        delivery,
        lease=None,
        due_at=now + timedelta(seconds=step.again_in),
        prepared=dict(step.so_far),
        trying_since=since,
        tries=0,
        failure=None,
    )


def _send_started(delivery: Delivery, started: SendStarted, now: datetime) -> Delivery | Refused:
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


def _answered(delivery: Delivery, answer: Answered, now: datetime, rules: Rules) -> Delivery | Refused:
    if delivery.unanswered != answer.attempt:
        return Refused("already_answered")
    match answer.outcome:
        case Posted(remote_id, url):
            return _posted(delivery, now, rules, remote_id, url, delivery.attempted(now, "posted"))
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


def _posted(
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


def _lease_lost(delivery: Delivery, lost: LeaseLost, now: datetime) -> Delivery | Refused:
    if delivery.lease is None:
        return Refused("not_held")
    if delivery.held(now) and lost.holder != delivery.lease.holder:
        return Refused("held")
    if delivery.state != "sending":
        return replace(delivery, lease=None, due_at=now)
    failure = DeliveryFailure(code="interrupted", detail="The call was begun and its answer never recorded.")
    attempts = delivery.attempted(now, "unknown", failure.code, failure.detail)
    return delivery.into("unknown", now, due_at=now, failure=failure, attempts=attempts)


# what is on the channel, after it did not say: a worker looks, a later visit checks, a person tells


def _looked(delivery: Delivery, look: Looked, now: datetime, rules: Rules) -> Delivery | Refused:
    if (refusal := delivery.refusal(look.fence, "reconciling")) is not None:
        return refusal
    match look.found:
        case Posted(remote_id, url):
            return _posted(delivery, now, rules, remote_id, url, delivery.attempted(now, "found"))
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
    gone: dict[str, object] = {
        "attempts": attempts,
        "absent_at": None,
        "remote_id": None,
        "unanswered": None,
        "prepared": {},  # whether its parts were used up nobody knows
    }
    if delivery.retired is not None:
        return delivery.into("cancelled", now, url=None, **gone)
    if now - (delivery.trying_since or now) >= rules.pace.give_up_sending:
        return delivery.into("needs_human", now, failure=delivery.failure, **gone)
    pause = timedelta(seconds=rules.pace.backoff(delivery.attempt, rules.jitter))
    return delivery.into("planned", now, url=None, due_at=now + pause, **gone)


def _cannot_look(delivery: Delivery, cannot: CannotLook, now: datetime, rules: Rules) -> Delivery | Refused:
    if (refusal := delivery.refusal(cannot.fence, "reconciling")) is not None:
        return refusal
    if not rules.capabilities.idempotent:
        return delivery.into("needs_human", now, failure=delivery.failure, unanswered=delivery.unanswered)
    if delivery.retired is None:
        return _again(delivery, now, delivery.attempts, rules)
    return delivery.into(
        "removing", now, due_at=now, remote_id=delivery.remote_id or delivery.id, unanswered=None
    )


def _checked(
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


def _resolved(delivery: Delivery, word: Resolved, now: datetime, rules: Rules) -> Delivery | Refused:
    attempts = delivery.attempted(now, f"person_{word.outcome}", word.by, word.url or "")
    removal = delivery.retired is not None and delivery.remote_id is not None
    match (delivery.state, word.outcome):
        case ("needs_human", "posted"):
            remote_id = delivery.remote_id or word.remote_id or word.url or delivery.id
            return _posted(delivery, now, rules, remote_id, word.url, attempts)
        case ("needs_human" | "residue", "absent") if removal or delivery.state == "residue":
            proof = f"{word.by} looked and found nothing"
            return delivery.into("removed", now, proof=proof, attempts=attempts)
        case ("needs_human", "absent"):
            return _again(replace(delivery, trying_since=None), now, attempts, rules)
        case ("needs_human", "cancelled"):
            return delivery.into("cancelled", now, attempts=attempts, unanswered=None)
        case _:
            return Refused("wrong_state")


# what must go, or never appear: retired by a decision, taken away by a worker or by its successor


def _retired(delivery: Delivery, reason: Retirement, now: datetime) -> Delivery | Refused:
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


def _removal_answered(
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


def _awaited(delivery: Delivery) -> Delivery | Refused:
    if delivery.state != "removing" or delivery.lease is not None:
        return Refused("not_removing")
    return replace(delivery, due_at=None)


def _released(delivery: Delivery, now: datetime) -> Delivery | Refused:
    if delivery.state != "removing" or delivery.due_at is not None:
        return Refused("not_waiting")
    return replace(delivery, due_at=now)


def _replaced(delivery: Delivery, replacement: Replaced) -> Delivery | Refused:
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
