"""Moderation's own vocabulary: one function per happening, which logs and counts it."""

from collections.abc import Iterable

import structlog
from prometheus_client import Counter, Gauge

log = structlog.get_logger()

SCREENED = Counter("konullu_moderation_screened_total", "Submissions screened, by risk.", ["risk"])
CLAIMS = Counter("konullu_moderation_claims_total", "Asked for a case, by what came of it.", ["outcome"])
DECISIONS = Counter("konullu_moderation_decisions_total", "Decisions by verdict.", ["verdict"])
REFUSED = Counter("konullu_moderation_refused_total", "Decisions that did not hold, by reason.", ["code"])
RECALLS = Counter("konullu_moderation_recalls_total", "Approvals taken back.")
RECALLS_UNDONE = Counter(
    "konullu_moderation_recalls_undone_total", "Recalls given up before a second person confirmed."
)
REOPENED = Counter("konullu_moderation_reopened_total", "Approved cases that were opened again.")
WITHDRAWALS = Counter("konullu_moderation_withdrawals_total", "Submissions that their authors took back.")
SEALED = Counter("konullu_moderation_sealed_cases_total", "Audit trails sealed into the campaign's chain.")
WAITING = Gauge(
    "konullu_moderation_waiting", "Cases that wait, by language; counted up to 512 a lane.", ["language"]
)
OLDEST = Gauge("konullu_moderation_oldest_seconds", "How long the oldest case has waited.", ["language"])


def screened(case_id: str, risk: str, classes: Iterable[str]) -> None:
    """A submission was looked at by the machine."""
    SCREENED.labels(risk).inc()
    log.info("case_screened", submission_id=case_id, risk=risk, classes=list(classes))


def claimed(case_id: str | None) -> None:
    """Somebody asked for a case and got this one, or none."""
    CLAIMS.labels("given" if case_id else "none").inc()
    if case_id:
        log.info("case_claimed", submission_id=case_id)


def decided(case_id: str, verdict: str, state: str) -> None:
    """A decision was made."""
    DECISIONS.labels(verdict).inc()
    log.info("case_decided", submission_id=case_id, verdict=verdict, state=state)


def refused(case_id: str, code: str) -> None:
    """A decision did not hold."""
    REFUSED.labels(code).inc()
    log.info("decision_refused", submission_id=case_id, code=code)


def recalled(case_id: str) -> None:
    """An approval was taken back."""
    RECALLS.inc()
    log.info("case_recalled", submission_id=case_id)


def recall_undone(case_id: str) -> None:
    """A recall that waited for a second person is wished no more."""
    RECALLS_UNDONE.inc()
    log.info("case_recall_undone", submission_id=case_id)


def reopened(case_id: str) -> None:
    """An approved case waits again."""
    REOPENED.inc()
    log.info("case_reopened", submission_id=case_id)


def withdrawn(case_id: str) -> None:
    """The author took a submission back."""
    WITHDRAWALS.inc()
    log.info("case_withdrawn", submission_id=case_id)


def sealed(number: int, cases: int) -> None:
    """Audit trails were sealed."""
    SEALED.inc(cases)
    log.info("audit_sealed", seal=number, cases=cases)


def waiting(language: str, count: int, oldest_seconds: float) -> None:
    """So many wait in a language."""
    WAITING.labels(language).set(count)
    OLDEST.labels(language).set(oldest_seconds)
