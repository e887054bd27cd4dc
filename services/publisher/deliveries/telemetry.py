"""The publisher's vocabulary: one function per business event, which logs it and counts it."""

from datetime import datetime

import structlog
from prometheus_client import Counter, Gauge, Histogram

from services.publisher.channels.port import Channel, Outcome
from services.publisher.deliveries.model import Delivery
from shared.events import ModerationDecided

log = structlog.get_logger()

_DECISIONS = Counter("konullu_publisher_decisions_total", "Decisions by what became of them.", ["outcome"])
_RECALLS = Counter("konullu_publisher_recalls_total", "Submissions recalled or withdrawn.", ["kind"])
_STATES = Counter(
    "konullu_publisher_delivery_changes_total", "Deliveries that came into a state.", ["channel", "state"]
)
_COMMITS = Counter(
    "konullu_publisher_commits_total", "Calls that publish, by outcome.", ["channel", "outcome"]
)
_LIES = Counter("konullu_publisher_not_visible_total", "Posts that a read-back did not find.", ["channel"])
_REFUSED = Counter(
    "konullu_publisher_stale_steps_total", "Steps that came too late to count.", ["channel", "reason"]
)
_DELAY = Histogram(
    "konullu_publisher_delivery_seconds",
    "From the plan to the channel's answer.",
    ["channel"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
)
_HEALTH = Gauge(
    "konullu_publisher_channel_up", "1 when the channel said it can be used, else 0.", ["channel"]
)
_WAITING = Gauge(
    "konullu_publisher_waiting_for_person", "Submissions with a delivery that a person must settle."
)
_LATE = Gauge(
    "konullu_publisher_late_deliveries",
    "Submissions due for over a minute.",
    ["channel", "lane"],
)
_RESOLVED = Counter("konullu_publisher_resolutions_total", "Deliveries that a person settled.", ["outcome"])


def decision_followed(decision: ModerationDecided, planned: int) -> None:
    """A decision was put into force."""
    _DECISIONS.labels("followed").inc()
    log.info(
        "decision_followed",
        submission_id=decision.subject_id,
        revision=decision.revision,
        verdict=decision.verdict,
        planned=planned,
    )


def decision_ignored(decision: ModerationDecided, reason: str) -> None:
    """A decision is known already or out of date."""
    _DECISIONS.labels(reason).inc()
    log.info("decision_ignored", submission_id=decision.subject_id, reason=reason)


def decision_refused(decision: ModerationDecided, code: str, detail: str) -> None:
    """A decision must not be followed."""
    _DECISIONS.labels(code).inc()
    log.warning("decision_refused", submission_id=decision.subject_id, code=code, detail=detail)


def taken_back(submission_id: str, kind: str) -> None:
    """A submission must not be published any more."""
    _RECALLS.labels(kind).inc()
    log.info("submission_taken_back", submission_id=submission_id, kind=kind)


def changed(channel: Channel, before: Delivery, after: Delivery) -> None:
    """A delivery went on."""
    if before.state == after.state:
        return
    _STATES.labels(channel.id, after.state).inc()
    level = "warning" if after.state in {"unknown", "needs_human", "residue", "rejected"} else "info"
    getattr(log, level)(
        "delivery_changed",
        delivery_id=after.id,
        submission_id=after.submission_id,
        channel=channel.id,
        state=after.state,
        code=after.failure.code if after.failure else None,
    )


def commit_answered(channel: Channel, delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    """A call that publishes was answered, or was not."""
    _COMMITS.labels(channel.id, type(outcome).__name__.lower()).inc()
    _DELAY.labels(channel.id).observe(max(0.0, (now - delivery.planned_at).total_seconds()))


def not_visible(channel: Channel, delivery: Delivery) -> None:
    """The channel had said that it was posted."""
    _LIES.labels(channel.id).inc()
    log.warning("delivery_not_visible", delivery_id=delivery.id, channel=channel.id)


def refused(channel: Channel, delivery: Delivery, reason: str) -> None:
    """A step did not fit what the delivery had become in the meantime."""
    _REFUSED.labels(channel.id, reason).inc()
    log.debug("step_refused", delivery_id=delivery.id, channel=channel.id, reason=reason)


def resolved(delivery_id: str, outcome: str, by: str) -> None:
    """A person settled a delivery."""
    _RESOLVED.labels(outcome).inc()
    log.info("delivery_resolved", delivery_id=delivery_id, outcome=outcome, by=by)


def channel_health(channel: str, *, ok: bool, detail: str) -> None:
    """A channel was asked whether it can be used."""
    _HEALTH.labels(channel).set(int(ok))
    if not ok:
        log.warning("channel_unhealthy", channel=channel, detail=detail)


def waiting_for_a_person(count: int) -> None:
    """So many wait now."""
    _WAITING.set(count)


def late(channel: str, lane: str, count: int) -> None:
    """So many are late now."""
    _LATE.labels(channel, lane).set(count)
